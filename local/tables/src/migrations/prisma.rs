//! Our indexes on the platform's tables as Prisma writes them, so that it neither drops nor reports them.

use super::target::{self, Makes};
use super::{Error, catalog, embedded};
use shared::store::Database;

/// Our indexes in the words of the platform's ORM.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Prisma {
    /// Lines for the models of its `schema.prisma`.
    pub schema: String,
    /// SQL for a migration of its own, which changes nothing where the indexes are there.
    pub migration: String,
}

/// Those of our indexes that are in the database; where another index does as well, that one is the ORM's already.
/// Changes nothing.
///
/// # Errors
/// When the database cannot be asked.
pub async fn prisma(database: &Database) -> Result<Prisma, Error> {
    let client = database.in_its_schema().connect().await?;
    let mut models: Vec<(&str, String)> = Vec::new();
    let mut migration = String::new();
    let mut all = embedded::migrations::runner().get_migrations().clone();
    all.sort();
    for it in &all {
        let Makes::Index { name, table, .. } = target::of(it.version()) else { continue };
        let statement = super::waiting(it.sql().unwrap_or_default());
        if !catalog::is_index_of(&client, name, table).await? {
            continue;
        }
        let line = format!("  @@index([{}], map: \"{name}\")\n", fields(&statement));
        match models.iter_mut().find(|model| model.0 == table) {
            Some(model) => model.1.push_str(&line),
            None => models.push((table, line)),
        }
        migration.push_str(&statement.replacen("CREATE INDEX", "CREATE INDEX IF NOT EXISTS", 1));
        migration.push_str(";\n");
    }
    let schema = models.iter().map(|(table, lines)| format!("model {table} {{\n{lines}}}\n"));
    Ok(Prisma { schema: schema.collect(), migration })
}

/// The columns between a statement's parentheses as the fields of a model.
fn fields(statement: &str) -> String {
    let columns = statement.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
    let columns = columns.map_or("", |(columns, _)| columns).split(", ");
    let field = |column: &str| match column.strip_suffix(" DESC") {
        Some(name) => format!("{}(sort: Desc)", name.trim_matches('"')),
        None => column.trim_matches('"').to_owned(),
    };
    columns.map(field).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn columns_become_fields() {
        assert_eq!(
            fields(r#"CREATE INDEX "i" ON "T" ("a", "b" DESC, "c")"#),
            "a, b(sort: Desc), c"
        );
    }
}
