//! The host: trains supernets through plugins, ranks subnets, reports.
