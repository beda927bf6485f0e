//! A sweep's table as a picture: one figure, with its seeds and differences.

use nshot_table::Method;

use super::table::Table;
use crate::failure::Result;

/// Without a ground truth, the first of these that there is.
const OTHERS: [&str; 2] = ["best accuracy, %", "final loss"];

/// SVG of the first tau, or of the best accuracy where no table was compared with; none before any run is done.
///
/// # Errors
/// The drawing library refuses.
pub(super) fn draw(table: &Table, title: &str) -> Result<Option<String>> {
    let figures = || table.methods.iter().flat_map(|row| &row.figures).map(|figure| figure.name.as_str());
    let tau = figures().find(|name| name.starts_with("tau ") && !name.starts_with("tau by NLL"));
    let other = || OTHERS.into_iter().find(|other| figures().any(|name| name == *other));
    let Some(name) = tau.or_else(other) else { return Ok(None) };
    let rows = table.methods.iter().map(|row| {
        let figure = row.figures.iter().find(|figure| figure.name == name);
        let pairs = figure.and_then(|figure| figure.difference.as_ref());
        Method {
            name: row.method.clone(),
            values: figure.iter().flat_map(|figure| &figure.values).map(|(_, value)| *value).collect(),
            difference: pairs.and_then(|pairs| Some((pairs.difference.mean?, pairs.interval))),
        }
    });
    Ok(Some(nshot_table::methods(&rows.collect::<Vec<_>>(), name, &table.plain, title)?))
}
