//! A key for caches of what was compiled for a graph.

use std::fmt::{self, Write};

use crate::Graph;

/// 128 bits that tell structures of graphs apart; the same in every process of one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u128);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// FNV-1a with 128 bits, fed with text.
pub(crate) struct Fnv(pub(crate) u128);

impl Fnv {
    pub(crate) fn new() -> Self {
        Fnv(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
        Ok(())
    }
}

pub(crate) fn of(graph: &Graph) -> Fingerprint {
    let mut hash = Fnv::new();
    // `Debug` prints floats so that they read back exactly and quotes text: unequal structures differ.
    let mut feed = |part: fmt::Arguments<'_>| hash.write_fmt(part).expect("hashing does not fail");
    feed(format_args!("{:?}{:?}", graph.inputs, graph.outputs));
    for node in &graph.nodes {
        feed(format_args!("{:?}{:?}{:?}", node.op, node.inputs, node.shape));
    }
    Fingerprint(hash.0)
}
