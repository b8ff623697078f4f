//! Unbalanced Tree Search: trees whose shape only their nodes' hashes tell.

use super::sum_of;
use crate::runtime::Runtime;
use crate::workload::{expect, Entry};
use sha1::{Digest, Sha1};

const CHILDREN_MAX: u32 = 100;

/// How many children a node has.
#[derive(Clone, Copy)]
enum Shape {
    Geometric { branching: f64, depth: u32 },
    Binomial { root: u32, probability: f64, branching: u32 },
}

const T1: Shape = Shape::Geometric { branching: 4.0, depth: 10 };
const T3: Shape = Shape::Binomial { root: 2_000, probability: 0.124875, branching: 8 };

pub fn entries<R: Runtime>() -> Vec<Entry<R>> {
    let entry = |name, shape, seed, nodes| {
        Entry::new(name, nodes, move |_| {
            move |runtime: &R| {
                let root = async move { visit::<R>(shape, Node::root(seed)).await };
                expect("nodes", runtime.block_on(root), nodes)
            }
        })
        .described("Unbalanced Tree Search, a task for each node", format!("the tree has {nodes} nodes"))
        .wide()
    };
    vec![entry("uts_t1", T1, 19, 4_130_071), entry("uts_t3", T3, 42, 4_112_897)]
}

#[derive(Clone, Copy)]
struct Node {
    state: [u8; 20],
    depth: u32,
}

impl Node {
    fn root(seed: u32) -> Node {
        Node { state: hash(&[0; 16], seed), depth: 0 }
    }

    fn child(&self, i: u32) -> Node {
        Node { state: hash(&self.state, i), depth: self.depth + 1 }
    }

    /// From 0 to 1, without 1.
    fn random(&self) -> f64 {
        let tail: [u8; 4] = self.state[16..].try_into().expect("4 of 20 bytes");
        f64::from(u32::from_be_bytes(tail) & 0x7FFF_FFFF) / f64::from(1u32 << 31)
    }

    fn children(&self, shape: Shape) -> u32 {
        match shape {
            Shape::Geometric { depth, .. } if self.depth >= depth => 0,
            Shape::Geometric { branching, .. } => {
                let children = (1.0 - self.random()).ln() / (1.0 - 1.0 / (1.0 + branching)).ln();
                (children as u32).min(CHILDREN_MAX)
            }
            Shape::Binomial { root, .. } if self.depth == 0 => root,
            Shape::Binomial { probability, branching, .. } if self.random() < probability => branching,
            Shape::Binomial { .. } => 0,
        }
    }
}

fn hash(state: &[u8], i: u32) -> [u8; 20] {
    Sha1::new().chain_update(state).chain_update(i.to_be_bytes()).finalize().into()
}

fn visit<R: Runtime>(shape: Shape, node: Node) -> R::Task<u64> {
    R::spawn(async move {
        let children: Vec<_> = (0..node.children(shape)).map(|i| visit::<R>(shape, node.child(i))).collect();
        1 + sum_of::<R>(children).await
    })
}
