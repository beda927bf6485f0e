//! Loads a plugin file in a process of its own; see `nshot_loader::probe`.

fn main() -> std::process::ExitCode {
    nshot_loader::probe::main()
}
