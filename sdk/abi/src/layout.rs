//! Comparing the layouts of host and plugin, and writing the boundary down as text.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals};
use abi_stable::type_layout::{TLData, TLField, TLFields, TLFunction, TypeLayout};

use crate::differences;
use crate::root::PluginRef;

/// Compares the layout that a plugin was built with to this one.
///
/// The check looks one way (the second side may have more at the end), so it is made both ways: an older plugin
/// has less than its host, a newer one more.
///
/// # Errors
/// One line for each difference.
pub fn compare(plugin: &'static TypeLayout) -> Result<(), Vec<String>> {
    let ours = PluginRef::LAYOUT;
    let check = |interface, implementation| {
        // Fresh globals: the default ones remember the first plugin and refuse mixed versions.
        check_layout_compatibility_with_globals(interface, implementation, &CheckingGlobals::new())
    };
    let Err(newer) = check(ours, plugin) else { return Ok(()) };
    let Err(older) = check(plugin, ours) else { return Ok(()) };
    // What rightly grew is a difference in one of the two ways alone.
    let (newer, older) = (differences::lines(&newer, false), differences::lines(&older, true));
    Err(if newer.len() <= older.len() { newer } else { older })
}

/// The whole boundary as text: each type's size, alignment and fields, each trait's methods, each table's
/// functions; sorted, so that a difference is a difference of the ABI.
pub fn snapshot() -> String {
    let mut types = BTreeMap::new();
    let mut pending: Vec<&'static TypeLayout> = vec![PluginRef::LAYOUT];
    let mut seen = HashSet::new();
    while let Some(layout) = pending.pop() {
        if seen.insert(name(layout)) {
            let mut text = format!("size {} align {}\n", layout.size(), layout.alignment());
            describe(layout, &mut text, &mut pending);
            pending.extend(layout.phantom_fields().iter().map(|f| f.layout()));
            types.insert(name(layout), text);
        }
    }
    let mut out = format!("nshot ABI {}.{}\n", crate::VERSION.0, crate::VERSION.1);
    for (name, text) in types {
        let _ = write!(out, "\n{name}: {text}");
    }
    out
}

/// The type's name, with what abi_stable leaves out of it: the trait of a table, the types that a result holds.
fn name(layout: &'static TypeLayout) -> String {
    let plain = layout.full_type().to_string().trim().to_owned();
    match layout.data() {
        TLData::Enum(variants) if ["RResult", "ROption", "Option"].contains(&layout.name()) => {
            let held: Vec<String> = variants.fields.iter().map(|field| name(field.layout())).collect();
            format!("{}<{}>", layout.name(), held.join(", "))
        }
        _ if layout.name() == "PrefixRef" => {
            let table = layout.phantom_fields().iter().last().map(|field| name(field.layout()));
            format!("PrefixRef<{}>", table.unwrap_or_default())
        }
        TLData::Struct { fields } if ["RObject", "RVec", "RSlice"].contains(&layout.name()) => {
            let first = fields.iter().next().map(|field| name(field.layout()));
            format!("{}<{}>", layout.name(), first.unwrap_or_default())
        }
        TLData::PrefixType(_) => format!("{}::{plain}", layout.mod_path()),
        _ => plain,
    }
}

fn describe(layout: &'static TypeLayout, text: &mut String, pending: &mut Vec<&'static TypeLayout>) {
    match layout.data() {
        TLData::Primitive(primitive) => {
            let _ = writeln!(text, "  primitive {primitive:?}");
        }
        TLData::Opaque => text.push_str("  opaque\n"),
        TLData::Struct { fields } | TLData::Union { fields } => describe_fields(fields, text, pending),
        TLData::Enum(variants) => {
            let names: Vec<&str> = variants.variant_names_iter().collect();
            let _ = writeln!(text, "  variants {}", names.join(", "));
            describe_fields(variants.fields, text, pending);
        }
        TLData::PrefixType(table) => {
            let _ = writeln!(text, "  table, {} entries in the first version", table.first_suffix_field);
            describe_fields(table.fields, text, pending);
        }
    }
}

fn describe_fields(fields: TLFields, text: &mut String, pending: &mut Vec<&'static TypeLayout>) {
    for field in fields.iter() {
        describe_field(&field, text);
        pending.push(field.layout());
        for function in field.function_range().iter() {
            describe_function(&function, text, pending);
        }
    }
}

fn describe_field(field: &TLField, text: &mut String) {
    let _ = writeln!(text, "  {}: {}", field.name(), name(field.layout()));
}

fn describe_function(function: &TLFunction, text: &mut String, pending: &mut Vec<&'static TypeLayout>) {
    let types: Vec<String> = function
        .param_type_layouts
        .iter()
        .map(|layout| {
            pending.push(layout());
            name(layout())
        })
        .collect();
    let result = function.return_type_layout().map(|layout| layout());
    pending.extend(result);
    let result = result.map_or_else(|| "()".to_owned(), name);
    let _ = writeln!(text, "    fn({}) -> {result}", types.join(", "));
}
