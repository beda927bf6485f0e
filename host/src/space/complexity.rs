//! How large an architecture is: by the costs of its graph, or by a table that a run names in `[measures]`.

use nshot_graph::Cost;

use super::{Space, Subnet};
use crate::boundary::{Refusal, shown};
use crate::measures::Measure;
use crate::selection::Selection;

/// The measures of complexity.
pub const MEASURES: [&str; 3] = ["weights", "params", "macs"];

impl Space {
    /// Adds a measure of complexity; its name is new.
    pub fn add_measure(&mut self, measure: Measure) {
        self.measures.push(measure);
    }

    /// Names of the measures of complexity.
    pub fn measures(&self) -> Vec<&str> {
        MEASURES.into_iter().chain(self.measures.iter().map(|measure| measure.name.as_str())).collect()
    }

    /// The complexity of an architecture that is in range.
    ///
    /// # Errors
    /// No such measure, or its table does not have the architecture.
    pub(crate) fn complexity(&self, architecture: &[u32], measure: &str) -> Result<f64, Refusal> {
        if MEASURES.contains(&measure) {
            return self.counted(self.cost(architecture)?, measure);
        }
        self.tabulated(architecture, measure)
    }

    /// The complexity of a subnet whose costs are known.
    ///
    /// # Errors
    /// As [`Space::complexity`], or a subnet of several options where the measure is of a table.
    pub(crate) fn complexity_of(
        &self,
        subnet: &Subnet,
        selection: &Selection,
        measure: &str,
    ) -> Result<f64, Refusal> {
        if MEASURES.contains(&measure) {
            return self.counted(subnet.cost, measure);
        }
        match selection.architecture() {
            Some(architecture) => self.tabulated(&architecture, measure),
            None => {
                Err(format!("`{}` is known of subnets of one option at each choice", shown(measure)).into())
            }
        }
    }

    fn counted(&self, cost: Cost, measure: &str) -> Result<f64, Refusal> {
        match measure {
            "weights" => Ok(cost.weights as f64),
            "params" => Ok(cost.params as f64),
            "macs" => Ok(cost.macs as f64),
            other => {
                let known = self.measures().join(", ");
                Err(Refusal::unknown(format!("unknown measure `{}`; this run has {known}", shown(other))))
            }
        }
    }

    fn tabulated(&self, architecture: &[u32], measure: &str) -> Result<f64, Refusal> {
        let Some(table) = self.measures.iter().find(|known| known.name == measure) else {
            return self.counted(Cost::default(), measure);
        };
        let text = || self.to_text(architecture).unwrap_or_else(|_| format!("{architecture:?}"));
        table
            .of(architecture)
            .ok_or_else(|| format!("the table of the measure `{measure}` has no line for {}", text()).into())
    }
}
