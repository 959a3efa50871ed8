//! A device of the tests: see `meantime_tests::device`.

fn main() -> anyhow::Result<()> {
    meantime_tests::device::serve()
}
