//! The command `nshot`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
