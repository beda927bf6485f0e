//! How large a description may be: a faulty plugin ends in an error, not in exhausted memory.

/// Nodes of one graph.
pub const NODES: usize = 1_000_000;
/// Inputs of all nodes of one graph together.
pub const EDGES: usize = 8_000_000;
/// Bytes that the attributes of one graph may take together.
pub const ATTRIBUTE_BYTES: usize = 64 << 20;
/// Characters of a name, and of a path of scopes.
pub const NAME_CHARS: usize = 256;
/// Dimensions of one value.
pub const DIMENSIONS: usize = 8;
/// Elements of one value, the batch counted as one image.
pub const ELEMENTS: i64 = 1 << 40;
/// Parameters of one space.
pub const PARAMETERS: usize = 1_000_000;
/// Elements of all parameters of one space together.
pub const PARAMETER_ELEMENTS: i64 = 1 << 40;
/// Attributes of one node.
pub const ATTRIBUTES: usize = 64;
/// Depth of scopes.
pub const SCOPES: usize = 64;
