//! The cell as six options, and its texts.

use std::fmt;

use nshot_sdk::{Error, Result};

/// (source node, target node) of each edge.
pub(crate) const EDGES: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)];

/// The options of each edge.
pub(crate) const OPTIONS: [&str; 5] =
    ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];

pub(crate) const NONE: u32 = 0;
pub(crate) const SKIP_CONNECT: u32 = 1;
pub(crate) const NOR_CONV_1X1: u32 = 2;
pub(crate) const NOR_CONV_3X3: u32 = 3;

const HINT: &str =
    "\n\nhint: a cell is `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`, or six digits such as `012340`";

/// Name of an edge's choice: `edge 2<-1`.
pub(crate) fn edge_name(edge: usize) -> String {
    let (source, target) = EDGES[edge];
    format!("edge {target}<-{source}")
}

/// An architecture: a valid option for each edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell([u32; 6]);

impl Cell {
    /// # Errors
    /// Not six options, or one that there is not.
    pub(crate) fn new(options: &[u32]) -> Result<Self> {
        let found = options.len();
        let cell: [u32; 6] = options
            .try_into()
            .map_err(|_| Error::new(format!("the architecture has {found} options, expected 6")))?;
        match cell.iter().position(|option| *option as usize >= OPTIONS.len()) {
            None => Ok(Self(cell)),
            Some(edge) => {
                Err(Error::new(format!("`{}` has option {}, expected 0 to 4", edge_name(edge), cell[edge])))
            }
        }
    }

    pub(crate) fn options(self) -> [u32; 6] {
        self.0
    }

    /// Reads the benchmark's text, as it is displayed, or six digits, with or without commas.
    ///
    /// # Errors
    /// Any other text.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let read = if text.starts_with('|') { named(text) } else { digits(text) };
        read.map_err(|problem| {
            let shown: String = text.chars().take(200).collect();
            Error::new(format!("`{}` is not a cell: {problem}{HINT}", shown.escape_debug()))
        })
    }
}

impl fmt::Display for Cell {
    /// `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`: for each node its edges, with the nodes that they come from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((source, target), option) in EDGES.into_iter().zip(self.0) {
            if source == 0 {
                f.write_str(if target == 1 { "|" } else { "+|" })?;
            }
            write!(f, "{}~{source}|", OPTIONS[option as usize])?;
        }
        Ok(())
    }
}

fn named(text: &str) -> Result<Cell, String> {
    let nodes: Vec<&str> = text.split('+').map(str::trim).collect();
    if nodes.len() != 3 {
        return Err(format!("it has {} nodes, expected 3", nodes.len()));
    }
    let mut cell = Vec::new();
    for (node, target) in nodes.into_iter().zip(1..) {
        let inside = node.strip_prefix('|').and_then(|rest| rest.strip_suffix('|'));
        let edges: Vec<&str> =
            inside.ok_or_else(|| format!("node {target} is not enclosed in `|`"))?.split('|').collect();
        if edges.len() != target {
            return Err(format!("node {target} has {} edges, expected {target}", edges.len()));
        }
        for (source, edge) in edges.into_iter().enumerate() {
            let operation = edge
                .strip_suffix(&format!("~{source}"))
                .ok_or_else(|| format!("edge `{edge}` of node {target} does not end in `~{source}`"))?;
            let option = OPTIONS
                .iter()
                .position(|option| *option == operation)
                .ok_or_else(|| format!("there is no operation `{operation}`, only {}", OPTIONS.join(", ")))?;
            cell.push(option as u32);
        }
    }
    Cell::new(&cell).map_err(|error| error.text().to_owned())
}

fn digits(text: &str) -> Result<Cell, String> {
    let parts: Vec<String> = if text.contains(',') {
        text.split(',').map(|part| part.trim().to_owned()).collect()
    } else {
        text.chars().map(String::from).collect()
    };
    let option = |part: &String| part.parse::<u32>().map_err(|_| format!("`{part}` is not a digit"));
    let options = parts.iter().map(option).collect::<Result<Vec<u32>, _>>()?;
    Cell::new(&options).map_err(|error| error.text().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|";

    #[test]
    fn edges_are_named_in_order() {
        let names: Vec<String> = (0..6).map(edge_name).collect();
        assert_eq!(names, ["edge 1<-0", "edge 2<-0", "edge 2<-1", "edge 3<-0", "edge 3<-1", "edge 3<-2"]);
    }

    #[test]
    fn reads_every_form() {
        let cell = Cell::new(&[0, 1, 2, 3, 4, 0]).expect("a cell");
        assert_eq!(cell.to_string(), TEXT);
        for text in [TEXT, "012340", "0,1,2,3,4,0", " 0, 1, 2, 3, 4, 0\n"] {
            assert_eq!(Cell::parse(text).expect("a cell"), cell, "{text}");
        }
    }

    #[test]
    fn every_text_reads_back() {
        for index in 0..15_625_u32 {
            let options: Vec<u32> = (0..6).rev().map(|place| index / 5_u32.pow(place) % 5).collect();
            let cell = Cell::new(&options).expect("a cell");
            assert_eq!(Cell::parse(&cell.to_string()).expect("a cell"), cell);
        }
    }

    #[test]
    fn refuses_and_says_why() {
        for (text, why) in [
            ("", "the architecture has 0 options, expected 6"),
            ("01234", "the architecture has 5 options, expected 6"),
            ("012345", "`edge 3<-2` has option 5, expected 0 to 4"),
            ("0,1,2,3,4,17", "`edge 3<-2` has option 17"),
            ("0,1,2,3,4,x", "`x` is not a digit"),
            ("0,1,2,3,4,-1", "`-1` is not a digit"),
            ("|none~0|+|none~0|none~1|", "it has 2 nodes, expected 3"),
            ("|none~0|+|none~0|+|none~0|none~1|none~2|", "node 2 has 1 edges, expected 2"),
            ("|none~0+|none~0|none~1|+|none~0|none~1|none~2|", "node 1 is not enclosed in `|`"),
            (
                "|none~0|+|none~1|none~0|+|none~0|none~1|none~2|",
                "edge `none~1` of node 2 does not end in `~0`",
            ),
            ("|zero~0|+|none~0|none~1|+|none~0|none~1|none~2|", "there is no operation `zero`, only none, "),
        ] {
            let error = Cell::parse(text).expect_err("a refusal");
            let expected = format!("`{text}` is not a cell: {why}");
            assert!(error.text().starts_with(&expected), "{error}");
        }
    }
}
