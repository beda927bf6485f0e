//! One line for each difference between two layouts, in place of the thousands that abi_stable prints.

use std::collections::HashSet;

use abi_stable::abi_stability::abi_checking::{
    AbiInstability, AbiInstabilityError, AbiInstabilityErrors, ExpectedFound,
};
use abi_stable::type_layout::{TLData, TLField, TLFieldOrFunction, TypeLayout};

/// The lines. `swapped`: the check had the host's layout as its second side.
pub(crate) fn lines(errors: &AbiInstabilityErrors, swapped: bool) -> Vec<String> {
    let all = || errors.errors.iter().flat_map(|error| error.errs.iter().map(move |it| (error, it)));
    let is_size = |it: &AbiInstability| matches!(it, AbiInstability::Size(_) | AbiInstability::Alignment(_));
    // A type that changes also changes the size of all that hold it.
    let sizes_alone = all().all(|(_, it)| is_size(it));
    let mut seen = HashSet::new();
    all()
        .filter(|(_, it)| sizes_alone || !is_size(it))
        .map(|(error, it)| line(error, it, swapped))
        .filter(|line| seen.insert(line.clone()))
        .collect()
}

fn line(error: &AbiInstabilityError, difference: &AbiInstability, swapped: bool) -> String {
    // Of a type it matters which one it is; of another type in its place, where that is.
    let of_the_place = matches!(difference, AbiInstability::Name(_) | AbiInstability::MismatchedPrimitive(_));
    let stack: Vec<TLFieldOrFunction> = error.stack_trace.iter().map(|at| at.expected).collect();
    let place = match stack.last() {
        None => "the root table".to_owned(),
        Some(TLFieldOrFunction::Field(field)) if !of_the_place => format!("`{}`", type_name(field.layout())),
        Some(_) => used_at(&stack),
    };
    let mut text = format!("{place}: {}", Text { swapped }.of(difference));
    if let (AbiInstability::FieldCountMismatch(_), Some(at)) = (difference, error.stack_trace.last()) {
        text += &added_and_missing(at, swapped);
    }
    text
}

/// A field of a type, or an argument or the result of a method: `Run::choice_name`, argument 1.
fn used_at(stack: &[TLFieldOrFunction]) -> String {
    let owner = |before: &[TLFieldOrFunction]| match before.last() {
        Some(TLFieldOrFunction::Field(field)) => format!("{}::", type_name(field.layout())),
        _ => String::new(),
    };
    match stack {
        [before @ .., TLFieldOrFunction::Field(method), TLFieldOrFunction::Function(_), TLFieldOrFunction::Field(at)] => {
            let method = format!("`{}{}`", owner(before), method.name());
            match at.name().strip_prefix("param_") {
                Some(number) => format!("{method}, argument {number}"),
                None => format!("{method}, result"),
            }
        }
        [before @ .., TLFieldOrFunction::Field(method), TLFieldOrFunction::Function(_)] => {
            format!("`{}{}`", owner(before), method.name())
        }
        [before @ .., TLFieldOrFunction::Field(field)] => format!("`{}{}`", owner(before), field.name()),
        _ => "the root table".to_owned(),
    }
}

/// The name of a type; of a trait's table, that of the trait.
fn type_name(layout: &'static TypeLayout) -> String {
    let path = layout.mod_path().to_string();
    let module = path.rsplit("::").next().unwrap_or_default();
    match module.strip_suffix("_trait") {
        Some(of_trait) if layout.name() == "VTable" => of_trait.to_owned(),
        _ => layout.name().to_owned(),
    }
}

fn added_and_missing(at: &ExpectedFound<TLFieldOrFunction>, swapped: bool) -> String {
    let (TLFieldOrFunction::Field(expected), TLFieldOrFunction::Field(found)) = (at.expected, at.found) else {
        return String::new();
    };
    let (expected, found) = if swapped { (found, expected) } else { (expected, found) };
    let (expected, found) = (fields(expected.layout()), fields(found.layout()));
    let only = |what: &str, these: &[TLField], those: &[TLField]| -> String {
        let new = these.iter().filter(|this| those.iter().all(|that| that.name() != this.name()));
        new.map(|field| format!("; {what} `{}`", field.name())).collect()
    };
    only("added", &found, &expected) + &only("missing", &expected, &found)
}

fn fields(layout: &'static TypeLayout) -> Vec<TLField> {
    match layout.data() {
        TLData::Struct { fields } | TLData::Union { fields } => fields.iter().collect(),
        TLData::PrefixType(table) => table.fields.iter().collect(),
        _ => Vec::new(),
    }
}

/// Writes down a difference.
struct Text {
    swapped: bool,
}

impl Text {
    fn of(&self, difference: &AbiInstability) -> String {
        use AbiInstability as D;
        match difference {
            D::Name(x) => self.both("type", x, |name| name.to_string().trim().to_owned()),
            D::Package(x) => self.both("package", x, ToString::to_string),
            D::PackageVersion(x) => self.both("version of the ABI crate", x, ToString::to_string),
            D::Size(x) => self.both("size in bytes", x, ToString::to_string),
            D::Alignment(x) => self.both("alignment in bytes", x, ToString::to_string),
            D::FieldCountMismatch(x) => self.both("number of fields", x, ToString::to_string),
            D::TooManyVariants(x) => self.both("number of variants", x, ToString::to_string),
            D::MismatchedPrefixSize(x) => self.both("length of the table", x, ToString::to_string),
            D::UnexpectedField(x) => {
                self.both("field", x, |f| format!("{}: {}", f.name(), f.full_type().to_string().trim()))
            }
            D::UnexpectedVariant(x) => self.both("variant", x, ToString::to_string),
            D::MismatchedPrimitive(x) => self.both("primitive", x, |p| format!("{p:?}")),
            D::TLDataDiscriminant(x) => self.both("kind of type", x, |d| format!("{d:?}")),
            other => {
                let text = format!("{other:?}");
                text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(160).collect()
            }
        }
    }

    fn both<T>(&self, what: &str, pair: &ExpectedFound<T>, text: impl Fn(&T) -> String) -> String {
        let (expected, found) =
            if self.swapped { (&pair.found, &pair.expected) } else { (&pair.expected, &pair.found) };
        format!("{what}: expected {}, found {}", text(expected), text(found))
    }
}
