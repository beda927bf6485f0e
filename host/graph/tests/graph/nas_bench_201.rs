//! The NAS-Bench-201 network as a space would describe it.

use nshot_graph::{Builder, Graph, Parameters, Role, Shape, Value, ValueId};

use crate::support::{flag, int, op, spec, text};

/// `none`, `skip_connect`, `nor_conv_1x1`, `nor_conv_3x3`, `avg_pool_3x3` as 0 to 4; one for each of the edges
/// 1←0, 2←0, 2←1, 3←0, 3←1, 3←2.
pub(crate) type Cell = [usize; 6];

#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) channels: i64,
    pub(crate) cells: usize,
    pub(crate) side: i64,
    /// Affine batch norms with running statistics and no bias in convolutions, as the benchmark trained them;
    /// else as a supernet has them.
    pub(crate) affine: bool,
}

pub(crate) const BENCHMARK: Size = Size { channels: 16, cells: 5, side: 32, affine: false };

/// Describes the network twice: first for its parameters, then over them.
pub(crate) fn network(size: Size, cell: Cell) -> (Parameters, Graph) {
    let mut parameters = Parameters::new();
    loop {
        let inputs: [(String, Shape); 1] = [("image".into(), vec![-1, 3, size.side, size.side])];
        let mut net = Net { b: Builder::new(&parameters, &inputs).expect("inputs"), size, missing: vec![] };
        net.describe(cell);
        if net.missing.is_empty() {
            return (parameters.clone(), net.b.finish().expect("a graph"));
        }
        for (name, shape, role) in net.missing {
            parameters.declare(spec(&name, &shape, role)).expect("a declaration");
        }
    }
}

struct Net<'a> {
    b: Builder<'a>,
    size: Size,
    missing: Vec<(String, Shape, Role)>,
}

impl Net<'_> {
    fn describe(&mut self, cell: Cell) {
        let c = self.size.channels;
        let image = self.b.input("image").expect("the image");
        let mut x = self.conv("stem", image, [3, c, 3, 1], false);
        x = self.norm("stem", x, c);
        for stage in 0..3 {
            let width = c << stage;
            self.b.push_scope(&format!("stage{stage}")).expect("a scope");
            if stage > 0 {
                x = self.reduce(&format!("reduce{stage}"), x, width);
            }
            for i in 0..self.size.cells {
                self.b.push_scope(&format!("cell{i}")).expect("a scope");
                x = self.cell(&format!("s{stage}c{i}"), x, width, cell);
                self.b.pop_scope().expect("a scope");
            }
            self.b.pop_scope().expect("a scope");
        }
        x = self.norm("last", x, 4 * c);
        x = op(&mut self.b, "relu", &[x], &[]);
        x = op(&mut self.b, "global_avg_pool", &[x], &[]);
        let weight = self.parameter("classifier.weight", &[10, 4 * c], Role::Weight);
        let bias = self.parameter("classifier.bias", &[10], Role::Bias);
        let logits = op(&mut self.b, "linear", &[x, weight, bias], &[]);
        self.b.output("logits", logits).expect("an output");
    }

    fn cell(&mut self, name: &str, x: ValueId, c: i64, cell: Cell) -> ValueId {
        let mut nodes = vec![x];
        let mut edge = 0;
        while nodes.len() < 4 {
            let mut terms = vec![];
            for x in nodes.iter().copied() {
                let name = format!("{name}e{edge}");
                terms.push(match cell[edge] {
                    0 => op(&mut self.b, "zeros_like", &[x], &[]),
                    1 => x,
                    2 => self.relu_conv_norm(&name, x, [c, c, 1, 1]),
                    3 => self.relu_conv_norm(&name, x, [c, c, 3, 1]),
                    _ => {
                        let pool = [int("kernel", 3), int("stride", 1), int("padding", 1)];
                        let pool = [&pool[..], &[flag("count_include_pad", false)]].concat();
                        op(&mut self.b, "avg_pool2d", &[x], &pool)
                    }
                });
                edge += 1;
            }
            nodes.push(op(&mut self.b, "add", &terms, &[]));
        }
        nodes[3]
    }

    fn reduce(&mut self, name: &str, x: ValueId, c: i64) -> ValueId {
        let a = self.relu_conv_norm(&format!("{name}a"), x, [c / 2, c, 3, 2]);
        let b = self.relu_conv_norm(&format!("{name}b"), a, [c, c, 3, 1]);
        let pooled = op(&mut self.b, "avg_pool2d", &[x], &[int("kernel", 2)]);
        let shortcut = self.conv(&format!("{name}s"), pooled, [c / 2, c, 1, 1], false);
        op(&mut self.b, "add", &[b, shortcut], &[])
    }

    fn relu_conv_norm(&mut self, name: &str, x: ValueId, sizes: [i64; 4]) -> ValueId {
        let x = op(&mut self.b, "relu", &[x], &[]);
        let x = self.conv(name, x, sizes, !self.size.affine);
        self.norm(name, x, sizes[1])
    }

    /// `[in, out, kernel, stride]`
    fn conv(&mut self, name: &str, x: ValueId, [i, o, k, stride]: [i64; 4], bias: bool) -> ValueId {
        let mut inputs = vec![x, self.parameter(&format!("{name}.weight"), &[o, i, k, k], Role::Weight)];
        if bias {
            inputs.push(self.parameter(&format!("{name}.bias"), &[o], Role::Bias));
        }
        op(&mut self.b, "conv2d", &inputs, &[int("stride", stride), int("padding", k / 2)])
    }

    fn norm(&mut self, name: &str, x: ValueId, c: i64) -> ValueId {
        let mut inputs = vec![x];
        let mut attributes: Vec<(String, Value)> = vec![];
        if self.size.affine {
            for part in ["scale", "shift"] {
                inputs.push(self.parameter(&format!("{name}.{part}"), &[c], Role::Norm));
            }
            for part in ["mean", "var"] {
                inputs.push(self.parameter(&format!("{name}.{part}"), &[c], Role::Buffer));
            }
            attributes = vec![flag("affine", true), flag("running", true), text("statistics", "running")];
        }
        op(&mut self.b, "batch_norm", &inputs, &attributes)
    }

    /// The parameter, or zeros in its place while it is still to be declared.
    fn parameter(&mut self, name: &str, shape: &[i64], role: Role) -> ValueId {
        if let Ok(value) = self.b.parameter(name) {
            return value;
        }
        self.missing.push((name.into(), shape.to_vec(), role));
        op(&mut self.b, "zeros", &[], &[crate::support::ints("shape", shape)])
    }
}
