//! Every setting as a table, which is that of `docs/configuration.md`.

use super::VARIABLES;

/// The table of every variable, in Markdown.
pub fn markdown() -> String {
    let mut table =
        String::from("| Variable | Default | Takes | Meaning |\n| --- | --- | --- | --- |\n");
    for variable in VARIABLES {
        let default = match variable.default {
            "" => "none".to_owned(),
            value => format!("`{value}`"),
        };
        let secret = if variable.secret { " Secret." } else { "" };
        table.push_str(&format!(
            "| `{}` | {default} | {} | {}{secret} |\n",
            variable.name,
            variable.accepts(),
            variable.meaning
        ));
    }
    table
}
