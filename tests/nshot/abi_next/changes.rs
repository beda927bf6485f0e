//! The changes to the sources that make another ABI of this one. Each finds its place, or the test fails.

/// One change to a file of the project.
pub(super) struct Change {
    pub(super) file: &'static str,
    /// Occurs once.
    from: &'static str,
    to: String,
}

impl Change {
    /// Inserts a text after another.
    fn after(file: &'static str, place: &'static str, text: &str) -> Self {
        Self { file, from: place, to: format!("{place}{text}") }
    }

    fn instead(file: &'static str, from: &'static str, to: &str) -> Self {
        Self { file, from, to: to.to_owned() }
    }

    pub(super) fn apply(&self, text: &str) -> String {
        let (file, from) = (self.file, self.from);
        assert_eq!(text.matches(from).count(), 1, "{file} has other than one place with:\n{from}");
        text.replacen(from, &self.to, 1)
    }
}

/// ABI 1.1: a getter, a method of a component, an operation of the host and an entry of the root table. A builder's
/// attribute is a name, and changes nothing here.
pub(super) fn additions() -> Vec<Change> {
    vec![
        Change::instead("Cargo.toml", "version = \"1.0.0\"", "version = \"1.1.0\""),
        Change::instead("sdk/abi/Cargo.toml", "version = \"1.0.0\"", "version = \"1.1.0\""),
        Change::instead("sdk/abi/src/lib.rs", "(u32, u32) = (1, 0)", "(u32, u32) = (1, 1)"),
        Change::instead("sdk/src/lib.rs", "\"1,0\"", "\"1,1\""),
        Change::instead("sdk/src/lib.rs", "VERSION.1 == 0", "VERSION.1 == 1"),
        Change::after(
            "sdk/abi/src/host.rs",
            "    fn random_key(&self) -> u64;\n",
            "    /// Epochs of the current stage.
    fn epochs(&self) -> AbiResult<u64> {
        unsupported(\"epochs\", \"1.1\")
    }\n",
        ),
        Change::after(
            "sdk/abi/src/host.rs",
            "    fn epoch(&self) -> u64;\n",
            "    /// A figure of an architecture on the next batch.
    fn probe(&self, _architecture: RSlice<'_, u32>, _measure: RStr<'_>) -> AbiResult<f64> {
        unsupported(\"probe\", \"1.1\")
    }\n",
        ),
        Change::instead(
            "sdk/abi/src/component.rs",
            "AbiResult<()>;\n}\n\n/// A learning-rate scheduler.",
            "AbiResult<()>;
    /// A stage has ended.
    fn end(&mut self, _run: RunRef<'_>) -> AbiResult<()> {
        AbiResult::ROk(())
    }
}

/// A learning-rate scheduler.",
        ),
        Change::after(
            "sdk/abi/src/root.rs",
            "    pub searcher: extern \"C\" fn(name: RStr<'_>, settings: RStr<'_>) -> AbiResult<SearcherBox>,\n",
            "    /// Notes on the plugin.
    #[sabi(missing_field(option))]
    pub notes: extern \"C\" fn() -> AbiResult<RString>,\n",
        ),
        Change::after(
            "sdk/src/run.rs",
            "impl Run<'_> {\n",
            "    /// Epochs of the current stage.
    pub fn epochs(&self) -> Result<u64> {
        answer(self.0.epochs())
    }\n",
        ),
        Change::after(
            "sdk/src/sampler.rs",
            "impl SampleContext<'_> {\n",
            "    /// A figure of an architecture on the next batch.
    pub fn probe(&self, architecture: &[u32], measure: &str) -> Result<f64> {
        answer(self.0.probe(architecture.into(), measure.into()))
    }\n",
        ),
        Change::after(
            "sdk/src/sampler.rs",
            "pub trait Sampler: Sized + Send + 'static {\n",
            "    /// A stage has ended.
    fn end(&mut self, _run: &Run) -> Result<()> {
        Ok(())
    }\n",
        ),
        Change::after(
            "sdk/src/adapter.rs",
            "impl<T: Sampler> abi::Sampler for Adapter<T> {\n",
            "    fn end(&mut self, run: h::RunRef<'_>) -> AbiResult<()> {
        guard(|| self.0.end(&Run(run)))
    }\n",
        ),
        Change::instead(
            "sdk/src/registration.rs",
            "state_groups, searcher }\n",
            "state_groups, searcher, notes }\n",
        ),
        Change::after(
            "sdk/src/registration.rs",
            "inventory::collect!(Entry);\n",
            "\nextern \"C\" fn notes() -> AbiResult<RString> {
    guard(|| Ok(RString::from(\"of ABI 1.1\")))
}\n",
        ),
    ]
}

/// What ABI 1.0 may never become: a struct with one more field, methods with another and one more argument.
pub(super) fn breaking() -> Vec<Change> {
    vec![
        Change::after(
            "sdk/abi/src/value.rs",
            "    pub attributes: RVec<Attribute>,\n",
            "    /// The line that it comes from.\n    pub line: u64,\n",
        ),
        Change::after("sdk/abi/src/value.rs", "attributes: RVec::new()", ", line: 0"),
        Change::instead(
            "sdk/abi/src/host.rs",
            "fn choice_name(&self, choice: u32)",
            "fn choice_name(&self, choice: u64)",
        ),
        Change::instead("sdk/src/run.rs", "self.0.choice_name(choice)", "self.0.choice_name(choice.into())"),
        Change::instead(
            "sdk/abi/src/host.rs",
            "    ) -> AbiResult<()>;\n}\n\n/// The moment at which",
            "        weight: f64,\n    ) -> AbiResult<()>;\n}\n\n/// The moment at which",
        ),
        Change::instead(
            "sdk/src/sampler.rs",
            "self.0.allow(stage, choice, RSlice::from(options), none())",
            "self.0.allow(stage, choice, RSlice::from(options), none(), 1.0)",
        ),
    ]
}
