//! Tests of tables.

use std::path::PathBuf;

use nshot_data::random::Stream;

use super::*;

/// Architectures of three choices with four options, as digits; spaces between them do not matter.
fn digits(text: &str) -> std::result::Result<Vec<u32>, String> {
    let options: Option<Vec<u32>> =
        text.chars().filter(|c| *c != ' ').map(|digit| digit.to_digit(4)).collect();
    options.filter(|options| options.len() == 3).ok_or_else(|| "expected three digits".to_owned())
}

fn read(text: &str, options: &TableOptions) -> Result<Table> {
    Table::parse(Path::new("t.csv"), text.as_bytes(), options, &digits)
}

fn refusal(text: &str) -> String {
    read(text, &TableOptions::default()).unwrap_err().to_string()
}

fn asking(columns: &[&str]) -> TableOptions {
    TableOptions { columns: columns.iter().map(|&name| name.to_owned()).collect(), ..TableOptions::default() }
}

#[test]
fn a_table_is_read() {
    let text = "weights,arch,a,b,mark\n1,012,0.5, 71.25,1\n2,\" 333\",0.25,9e1,False\r\n";
    let options = TableOptions { subset: Some("mark".to_owned()), ..asking(&["b", "a"]) };
    let table = read(text, &options).unwrap();
    assert_eq!(table.columns(), ["b", "a"]);
    assert_eq!(table.entries().len(), 2);
    assert_eq!(table.get(&[3, 3, 3]).unwrap(), &table.entries()[1]);
    assert_eq!(table.entries()[1].accuracies, [90.0, 0.25]);
    assert_eq!(table.subset().map(|entry| entry.text.as_str()).collect::<Vec<_>>(), ["012"]);
    assert!(table.get(&[0, 0, 0]).is_none());
}

#[test]
fn the_only_numeric_column_is_taken() {
    let table = read("note,arch,params,score\nx,012,7,0.5\n", &TableOptions::default()).unwrap();
    assert_eq!(table.columns(), ["score"]);
    assert!(table.entries()[0].in_subset);
    assert_eq!(
        refusal("arch,a,b\n012,1,2\n"),
        "`t.csv` has 2 columns that could hold accuracies; its columns are `arch`, `a`, `b`\n\n\
         hint: set `rank.column` to the column, or to a list of columns"
    );
    assert!(refusal("arch,a\n012,x\n").starts_with("`t.csv` has no column of accuracies"));
}

#[test]
fn a_missing_column_is_named_with_the_nearest() {
    let error = read("arch,cifar10_test\n012,1\n", &asking(&["cifar10test"])).unwrap_err();
    assert_eq!(error.key(), Some("rank.column"));
    let text = error.to_string();
    assert!(text.contains("has no column `cifar10test`; its columns are `arch`, `cifar10_test`"), "{text}");
    assert!(text.ends_with("hint: did you mean `cifar10_test`?"), "{text}");
    let options = TableOptions { subset: Some("zzz".to_owned()), ..TableOptions::default() };
    let text = read("arch,a\n012,1\n", &options).unwrap_err().to_string();
    assert!(text.ends_with("hint: set `rank.subset` to one of them"), "{text}");
    assert!(refusal("architecture,a\n012,1\n").contains("has no column `arch`"));
    assert!(
        read("arch,a,a\n012,1,2\n", &asking(&["a"])).unwrap_err().to_string().contains("two columns `a`")
    );
}

#[test]
fn a_wrong_line_is_named() {
    for (lines, expected) in [
        ("019,1\n", "line 3: architecture `019`: expected three digits"),
        ("\n\r\n019,1\n", "line 5: architecture `019`: expected three digits"),
        ("012,1\n", "line 3: architecture `012` is on line 2 already, as `012`"),
        (
            "003,1\n0 1 2,1\n",
            "line 4: architecture `0 1 2` is on line 2 already, as `012`, which is the same",
        ),
        ("013,\n", "line 3: `a` is empty, expected a number"),
        ("013,x\n", "line 3: `a` is `x`, expected a number"),
        ("013,nan\n", "line 3: `a` is NaN, expected a finite number"),
        ("013,-inf\n", "line 3: `a` is -inf, expected a finite number"),
        ("013,1e999\n", "line 3: `a` is inf, expected a finite number"),
        ("013\n", "line 3: has 1 fields, expected 2"),
        ("013,1,2\n", "line 3: has 3 fields, expected 2"),
    ] {
        assert_eq!(refusal(&format!("arch,a\n012,1\n{lines}")), format!("`t.csv` {expected}"));
    }
    let options = TableOptions { subset: Some("s".to_owned()), ..TableOptions::default() };
    let error = read("arch,a,s\n012,1,maybe\n", &options).unwrap_err().to_string();
    assert_eq!(error, "`t.csv` line 2: the subset's column is `maybe`, expected 0 or 1");
    let error = read("arch,a,s\n012,1,0\n", &options).unwrap_err().to_string();
    assert_eq!(error, "`t.csv` has no row that the column `s` marks with 1");
}

#[test]
fn empty_and_foreign_files_are_refused() {
    assert_eq!(refusal("arch,a\n\n"), "`t.csv` has no rows");
    assert!(refusal("").contains("has no column `arch`"));
    let bytes = b"arch,a\n012,1\n\xff\xfe,2\n";
    let error = Table::parse(Path::new("t.csv"), bytes, &TableOptions::default(), &digits).unwrap_err();
    assert_eq!(error.to_string(), "`t.csv` line 3: field 1 is not UTF-8");
    let error = Table::read(Path::new("/nonexistent/t.csv"), &TableOptions::default(), &digits).unwrap_err();
    assert!(error.to_string().starts_with("cannot read `/nonexistent/t.csv`: "));
    // A mark of byte order, as spreadsheets write it.
    assert_eq!(read("\u{feff}arch,a\n012,1\n", &TableOptions::default()).unwrap().columns(), ["a"]);
}

/// Whatever the bytes, it is a table or an error, and a table keeps what it promises.
#[test]
fn any_bytes_are_survived() {
    let mut stream = Stream::new(11, "bytes", (0, 0));
    let alphabet = b"arch,0123\n\n,,\"\r.e-naif \xff\xc3";
    let mut tables = 0;
    for _ in 0..20_000 {
        let mut bytes = b"arch,a\n012,1\n".to_vec();
        for _ in 0..stream.below(12) {
            let byte = alphabet[stream.below(alphabet.len() as u64) as usize];
            let place = stream.below(bytes.len() as u64 + 1) as usize;
            if stream.bool() { bytes.insert(place, byte) } else { bytes[place.min(12)] = byte }
        }
        match Table::parse(Path::new("t.csv"), &bytes, &TableOptions::default(), &digits) {
            Ok(table) => {
                tables += 1;
                assert!(!table.entries().is_empty());
                assert!(table.entries().iter().all(|entry| entry.accuracies[0].is_finite()));
            }
            Err(error) => assert!(error.to_string().contains("t.csv")),
        }
    }
    assert!(tables > 1000, "{tables}");
}

#[test]
fn a_list_counts_through_the_space() {
    let values: Vec<f64> = (0..30).map(f64::from).collect();
    let table = Table::from_list(&values, &[2, 5, 3]).unwrap();
    for entry in table.entries() {
        let [a, b, c] = entry.architecture[..] else { panic!() };
        assert_eq!(entry.accuracies, [f64::from(a * 15 + b * 3 + c)]);
    }
    assert_eq!(table.get(&[1, 4, 2]).unwrap().text, "1 4 2");
    let error = Table::from_list(&values, &[5, 5]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the list of accuracies has 30 values, expected 25: the space has 5 · 5 architectures"
    );
    assert!(Table::from_list(&values, &[u32::MAX; 4]).unwrap_err().to_string().contains("more than"));
    assert!(Table::from_list(&[1.0, f64::NAN], &[2]).unwrap_err().to_string().contains("NaN at index 1"));
    assert!(Table::from_list(&[], &[0]).is_err() && Table::from_list(&[1.0], &[]).is_err());
}

/// The real table, where the test data are at hand.
pub(crate) fn nas_bench_201() -> Option<PathBuf> {
    let folder = std::env::var_os("NSHOT_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let path = folder.join("nas-bench-201/nas-bench-201.csv");
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: `{}` is absent; set NSHOT_TEST_DATA", path.display());
    None
}

/// The six operations of a NAS-Bench-201 text.
pub(crate) fn cell(text: &str) -> std::result::Result<Vec<u32>, String> {
    const OPERATIONS: [&str; 5] = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];
    let operations = text.split(['|', '+']).filter(|part| !part.is_empty());
    let option = |part: &str| {
        let name = part.split('~').next().unwrap_or_default();
        OPERATIONS.iter().position(|known| *known == name).map(|place| place as u32)
    };
    operations.map(|part| option(part).ok_or_else(|| format!("unknown operation `{part}`"))).collect()
}

#[test]
fn nas_bench_201_is_read() {
    let Some(path) = nas_bench_201() else { return };
    let options = TableOptions {
        subset: Some("ranking_set".to_owned()),
        ..asking(&["cifar10_test", "cifar100_test", "imagenet16_test"])
    };
    let table = Table::read(&path, &options, &cell).unwrap();
    assert_eq!((table.entries().len(), table.subset().count()), (15_625, 327));
    assert_eq!(table.get(&[0; 6]).unwrap().accuracies, [10.0, 1.0, 0.83]);
    let error = Table::read(&path, &TableOptions::default(), &cell).unwrap_err().to_string();
    assert!(error.contains("columns that could hold accuracies"), "{error}");
}
