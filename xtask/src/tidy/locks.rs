//! Lock files name the public registries and nothing of the machine they were
//! written on.

use std::path::Path;

const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM: &str = "https://registry.npmjs.org/";

/// Adds one line for each source that is not public.
pub fn look(path: &Path, text: &str, problems: &mut Vec<String>) {
    let (field, allowed) = match path.file_name().and_then(|name| name.to_str()) {
        Some("Cargo.lock") => ("source = \"", CRATES),
        Some("package-lock.json") => ("\"resolved\": \"", NPM),
        _ => return,
    };
    let sources = text.lines().filter_map(|line| line.trim_start().strip_prefix(field));
    let mut wrong: Vec<&str> = sources.filter(|source| !source.starts_with(allowed)).collect();
    wrong.dedup();
    problems.extend(wrong.into_iter().take(5).map(|source| {
        let source = source.trim_end_matches(['"', ',']);
        format!("{}: {source} is not the public registry", path.display())
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_mirror_is_a_problem() {
        let mut problems = Vec::new();
        let text =
            "\"resolved\": \"https://registry.npmjs.org/a.tgz\",\n  \"resolved\": \"https://npm.example.org/b.tgz\",\n";
        look(Path::new("ui/package-lock.json"), text, &mut problems);
        assert_eq!(problems, ["ui/package-lock.json: https://npm.example.org/b.tgz is not the public registry"]);
    }
}
