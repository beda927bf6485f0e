//! Identifiers and literals of the language.

use crate::names::Names;

/// Words of the language and names that every method knows.
const WORDS: [&str; 41] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "print", "raise", "return", "self", "torch", "try", "while",
    "with", "yield", "inf", "nan", "float",
];

/// Attributes of PyTorch's modules that a parameter of the name would hide.
const MEMBERS: [&str; 65] = [
    "T_destination",
    "add_module",
    "apply",
    "bfloat16",
    "buffers",
    "call_super_init",
    "children",
    "code",
    "code_with_constants",
    "compile",
    "cpu",
    "cuda",
    "define",
    "double",
    "dump_patches",
    "eval",
    "extra_repr",
    "float",
    "forward",
    "forward_magic_method",
    "get_buffer",
    "get_debug_state",
    "get_extra_state",
    "get_parameter",
    "get_submodule",
    "graph",
    "graph_for",
    "half",
    "inlined_graph",
    "ipu",
    "load_state_dict",
    "modules",
    "mtia",
    "named_buffers",
    "named_children",
    "named_modules",
    "named_parameters",
    "original_name",
    "parameters",
    "register_backward_hook",
    "register_buffer",
    "register_forward_hook",
    "register_forward_pre_hook",
    "register_full_backward_hook",
    "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook",
    "register_load_state_dict_pre_hook",
    "register_module",
    "register_parameter",
    "register_state_dict_post_hook",
    "register_state_dict_pre_hook",
    "requires_grad_",
    "save",
    "save_to_buffer",
    "set_extra_state",
    "set_submodule",
    "share_memory",
    "state_dict",
    "to",
    "to_empty",
    "train",
    "training",
    "type",
    "xpu",
    "zero_grad",
];

/// Names that no variable may have.
pub(super) fn local_names() -> Names {
    taken(&WORDS)
}

/// Names that no attribute may have.
pub(super) fn member_names() -> Names {
    taken(&[&WORDS[..], &MEMBERS[..]].concat())
}

fn taken(words: &[&str]) -> Names {
    let mut names = Names::default();
    for word in words {
        names.take(word);
    }
    names
}

/// `name` with `_` for everything that no identifier has; it begins with a letter.
pub(super) fn identifier(name: &str) -> String {
    let mapped: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if mapped.starts_with(|c: char| c.is_ascii_alphabetic()) { mapped } else { format!("p{mapped}") }
}

pub(super) fn is_identifier(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && name.chars().all(fits)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !WORDS.contains(&name)
}

/// A text that may hold any character but a control character.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The shortest digits that read back exactly, with a point or an exponent.
pub(super) fn float(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { format!("float(\"{value}\")") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        let made = ["stem.weight", "0.größe", "_x", ""].map(identifier);
        assert_eq!(made, ["stem_weight", "p0_gr__e", "p_x", "p"]);
        assert!(
            is_identifier("dim_1") && !["", "1a", "a b", "if", "ä"].iter().any(|name| is_identifier(name))
        );
    }

    #[test]
    fn words_and_members_are_not_taken() {
        assert_eq!(local_names().unique("lambda"), "lambda_1");
        let mut members = member_names();
        let made = ["training", "forward", "weight"].map(|name| members.unique(name));
        assert_eq!(made, ["training_1", "forward_1", "weight"]);
    }

    #[test]
    fn literals_read_back() {
        assert_eq!([1.0, 1e-5, -0.25, 1e300].map(float), ["1.0", "1e-5", "-0.25", "1e300"]);
        assert_eq!([f64::INFINITY, f64::NEG_INFINITY].map(float), ["float(\"inf\")", "float(\"-inf\")"]);
        assert_eq!(quoted("a\"\\"), "\"a\\\"\\\\\"");
    }
}
