//! Which cells are the same network when trained alone.
//!
//! The benchmark's authors count 6,466 such classes, and so does this: an edge with `none` is zero, and so is
//! whatever comes from a node known to be zero (though a batch norm would shift it); a skip stands for its source;
//! the order of a sum's terms does not matter. Zeros stay as terms of a sum, so a node with several edges, all of
//! them `none`, is not known to be zero: a few cells that are equal stay apart.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::architecture::{Cell, EDGES, NONE, SKIP_CONNECT};

const COUNT: u16 = 15_625;
const ZERO: &str = "#";

/// The first cell, in lexicographic order of the options, of the class of `cell`.
pub(crate) fn canonical(cell: Cell) -> Cell {
    let table = table();
    from_index(table[usize::from(index(cell))]).unwrap_or(cell)
}

/// By a cell's index the index of its class's first one.
fn table() -> &'static [u16] {
    static TABLE: OnceLock<Vec<u16>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut first = HashMap::new();
        (0..COUNT)
            .map(|index| match from_index(index) {
                Some(cell) => *first.entry(function(cell)).or_insert(index),
                None => index,
            })
            .collect()
    })
}

/// What the last node computes from the first one, `0`, as a text.
fn function(cell: Cell) -> String {
    let mut nodes: [Vec<String>; 4] = [vec!["0".to_owned()], vec![], vec![], vec![]];
    let text = |terms: &[String]| {
        let mut terms = terms.to_vec();
        terms.sort();
        terms.join("+")
    };
    for ((source, target), option) in EDGES.into_iter().zip(cell.options()) {
        let from = text(&nodes[source]);
        nodes[target].push(match option {
            NONE => ZERO.to_owned(),
            _ if from == ZERO || option == SKIP_CONNECT => from,
            _ => format!("({from})@{option}"),
        });
    }
    text(&nodes[3])
}

/// The options as the digits of a base-5 number, the first edge's the most significant.
fn index(cell: Cell) -> u16 {
    cell.options().into_iter().fold(0, |index, option| index * 5 + option as u16)
}

fn from_index(index: u16) -> Option<Cell> {
    let options: Vec<u32> = (0..6).rev().map(|place| u32::from(index) / 5_u32.pow(place) % 5).collect();
    Cell::new(&options).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn of(text: &str) -> Cell {
        canonical(Cell::parse(text).expect("a cell"))
    }

    #[test]
    fn there_are_as_many_classes_as_published() {
        let classes: HashSet<u16> = table().iter().copied().collect();
        assert_eq!(classes.len(), 6_466);
    }

    #[test]
    fn a_representative_represents_itself_and_comes_first() {
        for index in 0..COUNT {
            let first = table()[usize::from(index)];
            assert!(first <= index);
            assert_eq!(table()[usize::from(first)], first);
        }
    }

    #[test]
    fn dead_branches_do_not_count() {
        // Nothing leaves node 1 and node 2.
        assert_eq!(of("323300"), of("000300"));
        // Nothing enters node 1: what leaves it does not matter.
        assert_eq!(of("003030"), of("000000"));
        assert_eq!(of("000300"), Cell::parse("000300").expect("a cell"));
    }

    #[test]
    fn skips_merge_nodes() {
        // Node 1 is node 0: an edge from either is the same.
        assert_eq!(of("100030"), of("100300"));
        assert_eq!(of("130001"), of("103001"));
        assert_ne!(of("100030"), of("100020"));
    }
}
