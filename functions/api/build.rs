//! Makes one script of the console's modules and of its style sheet, and packs it: see `src/console.rs`.
//!
//! The modules are plain ES modules, so that editors understand them. Joined in the order of their imports they
//! are one: what they import from each other is left out, and so is `export`. Their names have to differ; two of
//! the same are a syntax error in the browser, which the console's tests would meet first.

use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Each after those that it imports.
const MODULES: [&str; 12] = [
    "dom", "words", "session", "api", "parts", "plot", "score", "history", "project", "fleet",
    "queue", "app",
];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=console");
    let folder = Path::new("console");
    let style = fs::read_to_string(folder.join("app.css"))?;
    // A string of Rust's is one of JavaScript's, but for what a style sheet does not hold.
    let mut script = format!("const STYLE = {style:?};\n");
    for name in MODULES {
        let module = fs::read_to_string(folder.join(format!("{name}.js")))?;
        for line in module.lines() {
            let line = line.trim_end();
            if line.starts_with("import ") {
                let is_plain = line.contains(" from './") && !line.contains(" as ");
                assert!(is_plain, "{name}.js: cannot leave out: {line}");
                continue;
            }
            script.push_str(line.strip_prefix("export ").unwrap_or(line));
            script.push('\n');
        }
    }
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    let out = Path::new(&out);
    fs::write(out.join("console.js"), &script)?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(script.as_bytes())?;
    fs::write(out.join("console.js.gz"), packed.finish()?)
}
