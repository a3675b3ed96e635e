// Prisma's schema engine: what `prisma db push` and `prisma migrate` call. Its CLI fetches it as a binary from a host of
// its own; this is the same commit as WebAssembly, from npm, which reaches Postgres through Prisma's adapter for pg.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import pg from 'pg';

const require = createRequire(import.meta.url);
const { PrismaPg } = require('@prisma/adapter-pg');
const { bindMigrationAwareSqlAdapterFactory } = require('@prisma/driver-adapter-utils');

// The engine reads the catalog, whose types "char" and name the adapter does not know: they are texts.
const CATALOG_TYPES = [18, 19];
const TEXT = 25;
const told = pg.Query.prototype.handleRowDescription;
pg.Query.prototype.handleRowDescription = function (message) {
  for (const field of message.fields) {
    if (CATALOG_TYPES.includes(field.dataTypeID)) field.dataTypeID = TEXT;
  }
  return told.call(this, message);
};

const bindingsPath = require.resolve('@prisma/schema-engine-wasm/schema_engine_bg');
const bindings = await import(pathToFileURL(bindingsPath));
const { instance } = await WebAssembly.instantiate(
  await readFile(bindingsPath.replace(/js$/, 'wasm')),
  { './schema_engine_bg.js': bindings },
);
bindings.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

const filters = { externalTables: [], externalEnums: [] };
const container = (schema) => ({ files: [{ path: 'schema.prisma', content: schema }] });
const LOCKFILE = { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' };

/** The migrations of a folder, `{ name: SQL }`, as the engine takes them. */
const list = (migrations) => ({
  baseDir: 'migrations',
  lockfile: LOCKFILE,
  shadowDbInitScript: '',
  migrationDirectories: Object.entries(migrations).map(([path, content]) => ({
    path,
    migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: content } },
  })),
});

/** Prisma on one database. */
export class Prisma {
  static async on(connectionString, shadow) {
    const adapter = new PrismaPg({ connectionString });
    // A shadow database is where `migrate dev` tries all migrations; each begins with an empty one.
    adapter.connectToShadowDb = async () => new PrismaPg({ connectionString: await shadow() }).connect();
    const engine = await bindings.SchemaEngine.new({}, () => {}, bindMigrationAwareSqlAdapterFactory(adapter));
    return Object.assign(new Prisma(), { engine });
  }

  /** `prisma db push`: how many steps it took, and what it warned of. */
  push(schema) {
    return this.engine.schemaPush({ force: false, schema: container(schema), filters });
  }

  /** `prisma migrate diff --from-empty --to-schema --script`. */
  async script(schema) {
    const [from, to] = [{ tag: 'empty' }, { tag: 'schemaDatamodel', ...container(schema) }];
    return (await this.engine.diff({ from, to, script: true, exitCode: null, filters })).stdout;
  }

  /** `prisma migrate deploy`. */
  async deploy(migrations) {
    return (await this.engine.applyMigrations({ migrationsList: list(migrations), filters })).appliedMigrationNames;
  }

  /** What `prisma migrate dev` would do first: 'reset' where the database has drifted. */
  async dev(migrations) {
    return (await this.engine.devDiagnostic({ migrationsList: list(migrations), filters })).action;
  }

  /** The SQL that `prisma migrate dev` would write into a new migration; null for none. */
  async next(migrations, schema) {
    const asked = { migrationsList: list(migrations), migrationName: 'next', draft: false, schema: container(schema), filters };
    return (await this.engine.createMigration(asked)).migrationScript;
  }
}
