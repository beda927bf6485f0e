//! One line for each difference between two layouts, in place of the thousands that abi_stable prints.

use std::collections::HashSet;

use abi_stable::abi_stability::abi_checking::{
    AbiInstability, AbiInstabilityError, AbiInstabilityErrors, ExpectedFound,
};
use abi_stable::type_layout::TLFieldOrFunction::{Field, Function};
use abi_stable::type_layout::{TLData, TLField, TLFieldOrFunction, TLFunction, TypeLayout};

/// The lines. `swapped`: the check had the host's layout as its second side.
pub(crate) fn lines(errors: &AbiInstabilityErrors, swapped: bool) -> Vec<String> {
    let text = Text { swapped };
    let all = || errors.errors.iter().flat_map(|error| error.errs.iter().map(move |it| (error, it)));
    let is_size = |it: &AbiInstability| matches!(it, AbiInstability::Size(_) | AbiInstability::Alignment(_));
    // A type that changes also changes the size of all that hold it.
    let sizes_alone = all().all(|(_, it)| is_size(it));
    // Where a method has more arguments or less, those after it differ too.
    let other_arguments: HashSet<String> =
        all().filter(|(error, it)| is_of_arguments(error, it)).map(|(error, _)| method(error)).collect();
    let follows = |error: &AbiInstabilityError| {
        matches!(error.stack_trace.last(), Some(ExpectedFound { expected: Field(_), .. }))
            && other_arguments.contains(&method(error))
    };
    let mut seen = HashSet::new();
    all()
        .filter(|(error, it)| (sizes_alone || !is_size(it)) && !follows(error))
        .map(|(error, it)| text.line(error, it))
        .filter(|line| seen.insert(line.clone()))
        .collect()
}

fn is_of_arguments(error: &AbiInstabilityError, difference: &AbiInstability) -> bool {
    matches!(error.stack_trace.last(), Some(ExpectedFound { expected: Function(_), .. }))
        && matches!(difference, AbiInstability::FieldCountMismatch(_) | AbiInstability::UnexpectedField(_))
}

fn stack(error: &AbiInstabilityError) -> Vec<TLFieldOrFunction> {
    error.stack_trace.iter().map(|at| at.expected).collect()
}

/// The method that the end of the stack is, or is an argument of; empty if there is none.
fn method(error: &AbiInstabilityError) -> String {
    match &stack(error)[..] {
        [before @ .., Field(method), Function(_)] | [before @ .., Field(method), Function(_), Field(_)] => {
            format!("{}{}", owner(before), method.name())
        }
        _ => String::new(),
    }
}

/// A field of a type, or an argument or the result of a method: `Run::choice_name`, argument 1.
fn used_at(error: &AbiInstabilityError) -> String {
    let method = method(error);
    match &stack(error)[..] {
        [.., Function(_), Field(at)] => match at.name().strip_prefix("param_") {
            Some(number) => format!("`{method}`, argument {number}"),
            None => format!("`{method}`, result"),
        },
        [.., Function(_)] => format!("`{method}`"),
        [before @ .., Field(field)] => format!("`{}{}`", owner(before), field.name()),
        [] => "the root table".to_owned(),
    }
}

/// The type that has the field.
fn owner(before: &[TLFieldOrFunction]) -> String {
    match before.last() {
        Some(Field(field)) => format!("{}::", type_name(field.layout())),
        _ => String::new(),
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

fn full_name(layout: &'static TypeLayout) -> String {
    layout.full_type().to_string().trim().to_owned()
}

fn signature(function: &TLFunction) -> String {
    let arguments: Vec<String> =
        function.param_type_layouts.iter().map(|layout| full_name(layout())).collect();
    format!("({})", arguments.join(", "))
}

fn fields(layout: &'static TypeLayout) -> Vec<TLField> {
    match layout.data() {
        TLData::Struct { fields } | TLData::Union { fields } => fields.iter().collect(),
        TLData::PrefixType(table) => table.fields.iter().collect(),
        _ => Vec::new(),
    }
}

/// Writes down a difference, from the host's side.
struct Text {
    swapped: bool,
}

impl Text {
    fn line(&self, error: &AbiInstabilityError, difference: &AbiInstability) -> String {
        use AbiInstability as D;
        match (difference, error.stack_trace.last()) {
            (_, Some(ExpectedFound { expected: Function(expected), found: Function(found) }))
                if is_of_arguments(error, difference) =>
            {
                let pair = ExpectedFound { expected: *expected, found: *found };
                format!("{}: {}", used_at(error), self.both("arguments", &pair, signature))
            }
            // Of another type it matters where it stands, of a changed one which it is.
            (D::Name(_) | D::MismatchedPrimitive(_), _)
            | (_, None | Some(ExpectedFound { expected: Function(_), .. })) => {
                format!("{}: {}", used_at(error), self.of(difference))
            }
            (_, Some(ExpectedFound { expected: Field(expected), found })) => {
                let names = match (difference, found) {
                    (D::FieldCountMismatch(_), Field(found)) => self.added_and_missing(expected, found),
                    _ => String::new(),
                };
                format!("`{}`: {}{names}", type_name(expected.layout()), self.of(difference))
            }
        }
    }

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
                self.both("field", x, |f| format!("{}: {}", f.name(), full_name(f.layout())))
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
        let (expected, found) = self.sides(&pair.expected, &pair.found);
        format!("{what}: expected {}, found {}", text(expected), text(found))
    }

    fn added_and_missing(&self, expected: &TLField, found: &TLField) -> String {
        let (expected, found) = self.sides(expected, found);
        let (expected, found) = (fields(expected.layout()), fields(found.layout()));
        let only = |what: &str, these: &[TLField], those: &[TLField]| -> String {
            let new = these.iter().filter(|this| those.iter().all(|that| that.name() != this.name()));
            new.map(|field| format!("; {what} `{}`", field.name())).collect()
        };
        only("added", &found, &expected) + &only("missing", &expected, &found)
    }

    fn sides<'a, T: ?Sized>(&self, expected: &'a T, found: &'a T) -> (&'a T, &'a T) {
        if self.swapped { (found, expected) } else { (expected, found) }
    }
}
