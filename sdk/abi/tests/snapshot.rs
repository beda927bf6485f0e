//! The boundary is what `abi.txt` says: a change of it needs a new ABI version.

#[test]
fn the_boundary_is_the_one_on_record() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/abi.txt");
    let actual = nshot_abi::layout::snapshot();
    if std::env::var_os("NSHOT_BLESS").is_some() {
        std::fs::write(path, &actual).unwrap();
    }
    let recorded = std::fs::read_to_string(path).unwrap();
    for (number, (recorded, actual)) in recorded.lines().zip(actual.lines()).enumerate() {
        assert_eq!(
            recorded,
            actual,
            "line {} of abi.txt: the boundary changed. Append only, raise the version in Cargo.toml and \
             lib.rs, then record it with NSHOT_BLESS=1",
            number + 1
        );
    }
    assert_eq!(recorded.lines().count(), actual.lines().count(), "the boundary grew or shrank");
}
