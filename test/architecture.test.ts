import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';

/** What must hold of the code itself, beyond what dependency-cruiser proves; and that dependency-cruiser proves it. */

interface Source {
  path: string;
  text: string;
  tree: ts.SourceFile;
}

function filesIn(folder: string): Source[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const path = join(folder, name);
      const text = readFileSync(path, 'utf8');
      return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
    });
}

const sources = filesIn('src');
const migrations = filesIn('migrations').filter(({ path }) => !path.startsWith('migrations/support/'));
const modules = readdirSync('src/modules');

function nodesOf(tree: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(tree, (child) => void children.push(child));
  return children.flatMap((child) => [child, ...nodesOf(child)]);
}

/** `path:line` of every node that is such a one. */
function places(files: Source[], isOne: (node: ts.Node) => boolean): string[] {
  return files.flatMap(({ path, tree }) =>
    nodesOf(tree)
      .filter(isOne)
      .map((node) => `${path}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`),
  );
}

function isEnvironment(node: ts.Node): boolean {
  const text = node.getText();
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node))
    return /^(globalThis\.)?process(\.env|\[.env.\])$/.test(text);
  if (ts.isVariableDeclaration(node)) return node.initializer?.getText() === 'process' && /\benv\b/.test(text);
  return ts.isImportSpecifier(node) && text.startsWith('env') && /process'/.test(node.parent.parent.parent.getText());
}

function isRawAccess(node: ts.Node): boolean {
  return (
    ts.isNewExpression(node) && /^(DataSource|Pool|(pg|typeorm)\.(Pool|DataSource))$/.test(node.expression.getText())
  );
}

describe('The environment', () => {
  it('is read by kernel/config alone: there is no exception', () => {
    const [first = '', ...others] = places(sources, isEnvironment);
    expect(first).toMatch(/^src\/kernel\/config\/config\.ts:\d+$/);
    expect(others).toEqual([]);
  });
});

describe('The database', () => {
  it('is opened by the kernel alone: nobody else makes a pool or a data source', () => {
    const found = places(sources, isRawAccess);
    expect(found.filter((place) => !place.startsWith('src/kernel/'))).toEqual([]);
    expect(new Set(found.map((place) => place.split(':')[0]))).toEqual(
      new Set([
        'src/kernel/database/data-source.ts',
        'src/kernel/database/migrations.ts',
        'src/kernel/jobs/queue-pool.ts',
      ]),
    );
  });

  it('lets no module name the pool or the data source, not even as something injected', () => {
    const inModules = sources.filter(({ path }) => /^src\/(modules|integrations)\//.test(path));
    const isNamed = (node: ts.Node) => ts.isIdentifier(node) && /^(DataSource|Pool|POOL|DATA_SOURCE)$/.test(node.text);
    expect(places(inModules, isNamed)).toEqual([]);
  });
});

describe('A source file', () => {
  it('is no barrel', () => {
    expect([...sources, ...migrations].filter(({ path }) => basename(path) === 'index.ts')).toEqual([]);
    const passesOn = (node: ts.Node) => ts.isExportDeclaration(node) && node.exportClause === undefined;
    expect(places(sources, passesOn)).toEqual([]);
  });

  it('has no default export', () => {
    const isDefault = (node: ts.Node) => ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword;
    const isClause = (node: ts.Node) => ts.isCaseOrDefaultClause(node.parent);
    expect(places(sources, (node) => isDefault(node) && !isClause(node))).toEqual([]);
  });

  it('has no any, and no word to silence the compiler', () => {
    expect(places([...sources, ...migrations], ({ kind }) => kind === ts.SyntaxKind.AnyKeyword)).toEqual([]);
    const silenced = [...sources, ...migrations].filter(({ text }) => /@ts-(ignore|nocheck|expect-error)/.test(text));
    expect(silenced.map(({ path }) => path)).toEqual([]);
  });

  it('stays below 300 lines, and hardly one passes 200', () => {
    const lengths = sources.map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }));
    expect(lengths.filter(({ lines }) => lines > 300)).toEqual([]);
    expect(lengths.filter(({ lines }) => lines > 200).length).toBeLessThanOrEqual(lengths.length / 10);
  });

  it('has small functions: 50 lines at most, nine of ten within 25, and no constructor that takes more than 6', () => {
    const lengths = sources.flatMap(functionLengths);
    expect(lengths.filter(({ lines }) => lines > 50)).toEqual([]);
    expect(lengths.filter(({ lines }) => lines > 25).length).toBeLessThanOrEqual(lengths.length / 10);
    const isGreedy = (node: ts.Node) => ts.isConstructorDeclaration(node) && node.parameters.length > 6;
    expect(places(sources, isGreedy)).toEqual([]);
  });
});

/** Functions with a body, from the line of their name to the last brace. */
function functionLengths({ path, tree }: Source): { name: string; lines: number }[] {
  const lineOf = (position: number) => tree.getLineAndCharacterOfPosition(position).line;
  return nodesOf(tree).flatMap((node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || !node.body || !ts.isBlock(node.body as ts.Node)) return [];
    const body = node.body as ts.Block;
    return [{ name: `${path}:${lineOf(node.getStart()) + 1}`, lines: lineOf(body.end) - lineOf(body.getStart()) + 1 }];
  });
}

describe('A migration', () => {
  const classes = migrations.map(({ path, tree }) => ({
    path,
    names: tree.statements.filter(ts.isClassDeclaration).map(({ name }) => name?.text ?? ''),
  }));

  it('lies in the folder of its module, or of the kernel', () => {
    expect(migrations.length).toBeGreaterThan(0);
    const owners = new Set(migrations.map(({ path }) => dirname(path).replace('migrations/', '')));
    expect([...owners].filter((owner) => owner !== 'kernel' && !modules.includes(owner))).toEqual([]);
  });

  it('has one class, named as the file is: the same words, the same stamp', () => {
    for (const { path, names } of classes) {
      const [, stamp = '', words = ''] = /(\d{13})-([a-z0-9-]+)\.ts$/.exec(path) ?? [];
      const camel = words.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase());
      expect({ path, names }).toEqual({ path, names: [`${camel}${stamp}`] });
    }
  });

  it('shares its stamp with no other of any module: it is what orders them', () => {
    const stamps = migrations.map(({ path }) => basename(path).slice(0, 13));
    expect(stamps.filter((stamp, index) => stamps.indexOf(stamp) !== index)).toEqual([]);
  });
});

describe('A module', () => {
  const codes = sources
    .filter(({ path }) => path.endsWith('.errors.ts'))
    .flatMap(({ text }) => [...text.matchAll(/\bcode: '([^']+)'/g)].map(([, code]) => code ?? ''));

  it.each(modules)('%s has its Nest module and its page', (name) => {
    expect(readdirSync(join('src/modules', name))).toContain(`${name}.module.ts`);
    expect(readdirSync('docs')).toContain(`${name}.md`);
  });

  it('refuses with codes that are its own and stand on the page of errors', () => {
    expect(codes.length).toBeGreaterThan(20);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
    const page = readFileSync('docs/errors.md', 'utf8');
    expect(codes.filter((code) => !page.includes(`<a id="${code}"></a>`))).toEqual([]);
  });

  it('declares its refusals in *.errors.ts and nowhere else', () => {
    const declares = (node: ts.Node) => ts.isCallExpression(node) && node.expression.getText() === 'defineProblem';
    const inModules = sources.filter(({ path }) => path.startsWith('src/modules/'));
    expect(places(inModules, declares).filter((place) => !place.includes('.errors.ts:'))).toEqual([]);
  });
});

/** For each rule a file that breaks it, and what that file imports. */
const sabotage: Record<string, [from: string, to: string]> = {
  'no-circles': ['src/kernel/one.ts', './other.js'],
  'kernel-and-integrations-know-no-module': ['src/kernel/late.ts', '../modules/clinics/clinics.service.js'],
  'kernel-knows-no-integration': ['src/kernel/worldly.ts', '../integrations/mailer.js'],
  'integrations-know-no-data': ['src/integrations/curious.ts', '../kernel/database/pool.js'],
  'modules-through-what-they-export': ['src/modules/auth/intruder.ts', '../clinics/providers/rows.js'],
  'nobody-imports-a-process': ['src/starter.ts', './main.js'],
  'raw-data-source-only-in-the-kernel': ['src/modules/auth/raw.ts', 'pg'],
  'migrations-stand-alone': ['migrations/auth/leaning.ts', '../../src/kernel/database/pool.js'],
  'nobody-imports-a-migration': ['src/kernel/undo.ts', '../../migrations/auth/plain.js'],
  'emulators-stand-alone': ['test/emulators/insider.ts', '../../src/kernel/database/pool.js'],
  'no-tests-in-the-service': ['src/kernel/tested.ts', '../../test/support/harness.js'],
  'no-barrels': ['src/kernel/lazy.ts', './index.js'],
  'nothing-undeclared': ['src/kernel/random.ts', 'fast-check'],
  'nothing-unresolved': ['src/kernel/lost.ts', './nowhere.js'],
};

const innocent = [
  'src/main.ts',
  'src/kernel/index.ts',
  'src/kernel/database/pool.ts',
  'src/integrations/mailer.ts',
  'src/modules/clinics/clinics.service.ts',
  'src/modules/clinics/providers/rows.ts',
  'migrations/auth/plain.ts',
  'test/support/harness.ts',
];

async function violationsIn(folder: string): Promise<{ rule: string; from: string }[]> {
  const depcruise = join(process.cwd(), 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const args = [depcruise, 'src', 'migrations', 'test', '--config', '.dependency-cruiser.cjs', '--output-type', 'json'];
  // It ends with the number of violations; what it found is on its output either way.
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  const { summary } = JSON.parse(stdout) as { summary: { violations: { rule: { name: string }; from: string }[] } };
  return summary.violations.map(({ rule, from }) => ({ rule: rule.name, from }));
}

describe('The rules of who may import whom', () => {
  let folder: string;
  let violations: { rule: string; from: string }[];
  const write = (path: string, text: string) => {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'polyclinic-rules-'));
    symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
    for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json'])
      copyFileSync(file, join(folder, file));
    for (const path of innocent) write(path, 'export const it = 1;\n');
    for (const [from, to] of Object.values(sabotage)) write(from, `export * as it from '${to}';\n`);
    write('src/kernel/other.ts', `export * as it from './one.js';\n`);
    violations = await violationsIn(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(Object.entries(sabotage))('%s bites', (rule, [from]) => {
    expect(violations).toContainEqual({ rule, from });
  });

  it('are all tried here, and find nothing in files that break none', async () => {
    const { default: config } = (await import(join(process.cwd(), '.dependency-cruiser.cjs'))) as {
      default: { forbidden: { name: string }[] };
    };
    expect(Object.keys(sabotage).sort()).toEqual(config.forbidden.map(({ name }) => name).sort());
    expect(violations.filter(({ from }) => innocent.includes(from))).toEqual([]);
  });
});
