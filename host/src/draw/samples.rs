//! Graphs to draw in tests.

use std::collections::BTreeMap;

use nshot_graph::{Builder, Graph, Initialisation, ParameterSpec, Parameters, Role, Shape, Value, ValueId};

/// Describes a graph over an image twice: for its parameters, then over them.
pub(crate) fn described(describe: impl Fn(&mut Net, ValueId)) -> Graph {
    let mut parameters = Parameters::new();
    loop {
        let inputs = [("image".to_owned(), vec![-1, 3, 32, 32])];
        let builder = Builder::new(&parameters, &inputs).expect("inputs");
        let mut net = Net { b: builder, missing: BTreeMap::new() };
        let image = net.b.input("image").expect("the image");
        describe(&mut net, image);
        let missing = std::mem::take(&mut net.missing);
        if missing.is_empty() {
            return net.b.finish().expect("a graph");
        }
        for (name, shape) in missing {
            let (role, init) = (Role::Weight, Initialisation::Zeros);
            parameters.declare(ParameterSpec { name, shape, role, init }).expect("a declaration");
        }
    }
}

pub(crate) struct Net<'a> {
    pub(crate) b: Builder<'a>,
    missing: BTreeMap<String, Shape>,
}

impl Net<'_> {
    pub(crate) fn op(&mut self, name: &str, inputs: &[ValueId], attributes: &[(&str, Value)]) -> ValueId {
        let attributes: Vec<_> = attributes.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        self.b.op(name, inputs, &attributes).expect("a good call").first
    }

    pub(crate) fn parameter(&mut self, name: &str, shape: &[i64]) -> ValueId {
        self.b.parameter(name).unwrap_or_else(|_| {
            self.missing.insert(name.into(), shape.to_vec());
            self.op("zeros", &[], &[("shape", Value::Ints(shape.to_vec()))])
        })
    }

    pub(crate) fn scope<T>(&mut self, name: &str, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.b.push_scope(name).expect("a scope");
        let result = inside(self);
        self.b.pop_scope().expect("a scope");
        result
    }

    /// `[in, out, kernel, stride, groups]`
    pub(crate) fn conv(&mut self, name: &str, x: ValueId, sizes: [i64; 5]) -> ValueId {
        let [inputs, outputs, kernel, stride, groups] = sizes;
        let weight = self.parameter(name, &[outputs, inputs / groups, kernel, kernel]);
        let int = Value::Int;
        self.op(
            "conv2d",
            &[x, weight],
            &[("stride", int(stride)), ("padding", int(kernel / 2)), ("groups", int(groups))],
        )
    }

    pub(crate) fn conv_norm(&mut self, name: &str, x: ValueId, sizes: [i64; 5]) -> ValueId {
        let x = self.conv(name, x, sizes);
        self.op("batch_norm", &[x], &[])
    }

    fn relu_conv_norm(&mut self, name: &str, x: ValueId, sizes: [i64; 5]) -> ValueId {
        let x = self.op("relu", &[x], &[]);
        self.conv_norm(name, x, sizes)
    }

    pub(crate) fn head(&mut self, x: ValueId, features: i64) {
        let x = self.op("global_avg_pool", &[x], &[]);
        let (weight, bias) = (self.parameter("fc.weight", &[10, features]), self.parameter("fc.bias", &[10]));
        let logits = self.op("linear", &[x, weight, bias], &[]);
        self.b.output("logits", logits).expect("an output");
    }
}

/// NAS-Bench-201: `none`, `skip_connect`, 1×1, 3×3, `avg_pool_3x3` as 0 to 4 for the edges 1←0, 2←0, 2←1, 3←0,
/// 3←1, 3←2; five cells a stage, with the scopes `stages.0.0` and so on.
pub(crate) fn nas_bench_201(cell: [usize; 6]) -> Graph {
    described(|net, image| {
        let mut x = net.scope("stem", |net| net.conv_norm("stem", image, [3, 16, 3, 1, 1]));
        for stage in 0..3 {
            let c = 16 << stage;
            if stage > 0 {
                x = net.scope(&format!("reductions.{}", stage - 1), |net| {
                    let name = format!("r{stage}");
                    let a = net.relu_conv_norm(&format!("{name}.a"), x, [c / 2, c, 3, 2, 1]);
                    let b = net.relu_conv_norm(&format!("{name}.b"), a, [c, c, 3, 1, 1]);
                    let pooled = net.op("avg_pool2d", &[x], &[("kernel", Value::Int(2))]);
                    let shortcut = net.conv(&format!("{name}.s"), pooled, [c / 2, c, 1, 1, 1]);
                    net.op("add", &[b, shortcut], &[])
                });
            }
            for i in 0..5 {
                let name = format!("stages.{stage}.{i}");
                x = net.scope("stages", |net| {
                    net.scope(&stage.to_string(), |net| {
                        net.scope(&i.to_string(), |net| net.cell(&name, x, c, cell))
                    })
                });
            }
        }
        x = net.scope("last", |net| {
            let x = net.op("batch_norm", &[x], &[]);
            net.op("relu", &[x], &[])
        });
        net.head(x, 64);
    })
}

impl Net<'_> {
    fn cell(&mut self, name: &str, x: ValueId, c: i64, cell: [usize; 6]) -> ValueId {
        let mut nodes = vec![x];
        let mut edge = 0;
        while nodes.len() < 4 {
            let mut terms = vec![];
            for x in nodes.clone() {
                let name = format!("{name}.{edge}");
                terms.push(match cell[edge] {
                    0 => self.op("zeros_like", &[x], &[]),
                    1 => x,
                    2 => self.relu_conv_norm(&name, x, [c, c, 1, 1, 1]),
                    3 => self.relu_conv_norm(&name, x, [c, c, 3, 1, 1]),
                    _ => {
                        let int = Value::Int;
                        let pool = [("kernel", int(3)), ("stride", int(1)), ("padding", int(1))];
                        self.op("avg_pool2d", &[x], &pool)
                    }
                });
                edge += 1;
            }
            nodes.push(self.op("add", &terms, &[]));
        }
        nodes[3]
    }
}

/// Inverted residuals with squeeze and excitation, weights cut out of larger ones.
pub(crate) fn mobile_net() -> Graph {
    described(|net, image| {
        let mut x = net.scope("stem", |net| {
            let x = net.conv_norm("stem", image, [3, 16, 3, 2, 1]);
            net.op("hardswish", &[x], &[])
        });
        for block in 0..6 {
            x = net.scope(&format!("blocks.{block}"), |net| {
                net.block(&format!("b{block}"), x, 3 + 2 * (block % 3))
            });
        }
        net.scope("head", |net| net.head(x, 16));
    })
}

impl Net<'_> {
    fn block(&mut self, name: &str, input: ValueId, kernel: i64) -> ValueId {
        let x = self.conv_norm(&format!("{name}.expand"), input, [16, 64, 1, 1, 1]);
        let x = self.op("relu6", &[x], &[]);
        let weight = self.parameter(&format!("{name}.depthwise"), &[64, 1, 7, 7]);
        let start = (7 - kernel) / 2;
        let int = Value::Int;
        let cut = |dim| [("dim", int(dim)), ("start", int(start)), ("end", int(start + kernel))];
        let weight = self.op("slice", &[weight], &cut(2));
        let weight = self.op("slice", &[weight], &cut(3));
        let x = self.op("conv2d", &[x, weight], &[("padding", int(kernel / 2)), ("groups", int(64))]);
        let x = self.op("batch_norm", &[x], &[]);
        let x = self.op("relu6", &[x], &[]);
        let gate = self.op("global_avg_pool", &[x], &[]);
        let reduce = self.parameter(&format!("{name}.reduce"), &[16, 64]);
        let gate = self.op("linear", &[gate, reduce], &[]);
        let gate = self.op("relu", &[gate], &[]);
        let widen = self.parameter(&format!("{name}.widen"), &[64, 16]);
        let gate = self.op("linear", &[gate, widen], &[]);
        let gate = self.op("sigmoid", &[gate], &[]);
        let gate = self.op("reshape", &[gate], &[("shape", Value::Ints(vec![-1, 64, 1, 1]))]);
        let x = self.op("mul", &[x, gate], &[]);
        let x = self.conv_norm(&format!("{name}.project"), x, [64, 16, 1, 1, 1]);
        self.op("add", &[x, input], &[])
    }
}

/// `count` operations in a line, each also added to the first; all at the top.
pub(crate) fn long(count: usize) -> Graph {
    described(|net, image| {
        let mut x = image;
        for i in 0..count {
            x = if i % 2 == 0 { net.op("tanh", &[x], &[]) } else { net.op("add", &[x, image], &[]) };
        }
        net.b.output("x", x).expect("an output");
    })
}
