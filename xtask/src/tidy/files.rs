//! What must be in a file, and what must not.

use std::path::Path;

const WANTS_A_REASON: usize = 400;
const NEVER_LONGER: usize = 700;
/// A file this short says what it is by what it does.
const TRIVIAL: usize = 20;

/// Adds one line for each thing wrong with a file.
pub fn look(path: &Path, text: &str, problems: &mut Vec<String>) {
    let name = path.to_string_lossy().replace('\\', "/");
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    let mut problem = |what: &str| problems.push(format!("{name}: {what}"));
    if text.lines().next().is_some_and(|first| first.contains("Generated ")) || name.ends_with("package-lock.json") {
        return;
    }
    if matches!(kind, "rs" | "ts" | "svelte" | "css" | "html" | "toml" | "md" | "yml" | "json" | "js" | "sh" | "py") {
        for (line, number) in text.lines().zip(1..) {
            if line.contains('\t') {
                problem(&format!("line {number} has a tab"));
            }
            if line.ends_with(' ') {
                problem(&format!("line {number} ends with a space"));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            problem("does not end with a newline");
        }
    }
    if matches!(kind, "rs" | "ts" | "svelte" | "css" | "js") && !is_test(&name) {
        let lines = product_lines(text);
        if lines > NEVER_LONGER {
            problem(&format!("has {lines} lines; {NEVER_LONGER} are the limit"));
        } else if lines > WANTS_A_REASON && !text.contains("// long: ") {
            problem(&format!("has {lines} lines; split it, or give the reason as `// long: …`"));
        }
    }
    if kind == "rs" {
        if text.lines().count() > TRIVIAL && !text.starts_with("//!") {
            problem("does not open with `//!`: its duty, and what it does not do");
        }
        for left_over in [concat!("dbg", "!("), concat!("todo", "!("), concat!("unimplemented", "!(")] {
            if text.contains(left_over) {
                problem(&format!("has a {left_over}…)"));
            }
        }
    }
    if name.starts_with("ui/src/") && matches!(kind, "ts" | "svelte") {
        if !name.starts_with("ui/src/host/") && text.contains("@tauri-apps/") {
            problem("imports @tauri-apps/*; only ui/src/host may");
        }
        if text.contains(concat!("console", ".log(")) {
            problem(concat!("has a console", ".log"));
        }
    }
}

fn is_test(name: &str) -> bool {
    let parts = ["/tests/", "/kit/", ".test.", "/tests.rs", "/test/"];
    name.starts_with("tests/") || parts.iter().any(|part| name.contains(part))
}

/// Lines before the tests at the end of a Rust file.
fn product_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| matches!(pair, [cfg, module] if cfg.trim() == "#[cfg(test)]" && module.starts_with("mod ")));
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        look(Path::new(path), text, &mut problems);
        problems
    }

    #[test]
    fn long_files_need_a_reason_and_end_somewhere() {
        let long = format!("//! x\n{}", "fn a() {}\n".repeat(450));
        assert_eq!(problems("crates/a/src/a.rs", &long).len(), 1);
        assert_eq!(problems("crates/a/tests/a.rs", &long).len(), 0);
        assert_eq!(problems("crates/a/src/a.rs", &(long.clone() + "// long: a table\n")).len(), 0);
        let tested = format!("//! x\nfn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(900));
        assert_eq!(problems("crates/a/src/a.rs", &tested).len(), 0);
        assert_eq!(problems("crates/a/src/a.rs", &(long.repeat(2) + "// long: a table\n")).len(), 1);
    }

    #[test]
    fn only_the_host_knows_tauri() {
        let import = "import { invoke } from '@tauri-apps/api/core';\n";
        assert_eq!(problems("ui/src/inbox/List.svelte", import).len(), 1);
        assert_eq!(problems("ui/src/host/index.ts", import).len(), 0);
    }

    #[test]
    fn whitespace_at_the_end_is_named_with_its_line() {
        assert_eq!(problems("a.md", "one\ntwo \n"), ["a.md: line 2 ends with a space"]);
    }
}
