//! placeholder
use crate::data::DataDir;
use std::net::SocketAddr;
/// .
pub async fn run(_: &DataDir, _: SocketAddr, _: bool) -> anyhow::Result<()> {
    Ok(())
}
