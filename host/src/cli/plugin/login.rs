//! Who the user is for a registry.

use std::path::PathBuf;

use nshot::failure::Result;
use nshot_package::{Client, Login};

use super::password;

/// Options of commands that speak to a registry.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The user of the registry; without it, whoever `docker login` stored, and else nobody.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A file with the user's password or token, `-` for the standard input; else it is asked for.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
}

impl Arguments {
    /// What speaks to registries; nothing is connected to.
    pub(super) fn client(&self) -> Result<Client> {
        let login = match &self.user {
            None => Login::Docker(None),
            Some(user) => {
                let what = format!("password of `{user}`");
                let password = password::ask(&what, self.password_file.as_deref())?;
                Login::Password { user: user.clone(), password }
            }
        };
        Ok(Client::new(login)?)
    }
}
