//! What the files in a project's root give away: how its tests are usually run, and what is worth reading first.
//!
//! A table and nothing else. It looks at names only, never into a file, and claims nothing: a prompt calls what it says
//! the usual way.

use serde::Serialize;

/// The command that usually runs all tests of a project that has this file in its root. Of a group, the first file that
/// is there counts: `package.json` says npm unless a lock file says something else.
const TESTS: &[&[(&str, &str)]] = &[
    // A project's own word for it goes before what its language has.
    &[("justfile", "just test"), ("Justfile", "just test")],
    &[("Makefile", "make test"), ("makefile", "make test"), ("GNUmakefile", "make test")],
    &[("Taskfile.yml", "task test"), ("Taskfile.yaml", "task test")],
    &[("Cargo.toml", "cargo test")],
    &[
        ("pnpm-lock.yaml", "pnpm test"),
        ("yarn.lock", "yarn test"),
        ("bun.lock", "bun test"),
        ("bun.lockb", "bun test"),
        ("package.json", "npm test"),
    ],
    &[("deno.json", "deno test"), ("deno.jsonc", "deno test")],
    &[
        ("uv.lock", "uv run pytest"),
        ("poetry.lock", "poetry run pytest"),
        ("tox.ini", "tox"),
        ("pyproject.toml", "python3 -m pytest"),
        ("setup.py", "python3 -m pytest"),
        ("requirements.txt", "python3 -m pytest"),
    ],
    &[("go.mod", "go test ./...")],
    &[("mvnw", "./mvnw test"), ("pom.xml", "mvn test")],
    &[("gradlew", "./gradlew test"), ("build.gradle.kts", "gradle test"), ("build.gradle", "gradle test")],
    &[("build.sbt", "sbt test")],
    &[("Rakefile", "bundle exec rake test"), ("Gemfile", "bundle exec rspec")],
    &[("composer.json", "composer test")],
    &[("mix.exs", "mix test")],
    &[("CMakeLists.txt", "cmake -B build && cmake --build build && ctest --test-dir build")],
    &[("meson.build", "meson setup build && meson test -C build")],
    &[("Package.swift", "swift test")],
    &[("pubspec.yaml", "dart test")],
    &[("dune-project", "dune test")],
    &[("cabal.project", "cabal test all"), ("stack.yaml", "stack test")],
    &[("build.zig", "zig build test")],
    &[("rebar.config", "rebar3 eunit")],
    &[("Project.toml", "julia --project -e 'using Pkg; Pkg.test()'")],
];

/// The same for files that are called after the project.
const TESTS_BY_ENDING: &[(&str, &str)] = &[
    (".sln", "dotnet test"),
    (".csproj", "dotnet test"),
    (".fsproj", "dotnet test"),
    (".cabal", "cabal test"),
];

/// What was written for whoever works here, most to the point first.
const READ: &[&str] =
    &["AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "README.md", "README"];

/// What a project's root gives away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hints {
    /// How its tests are usually run, one for each language or tool.
    pub tests: Vec<TestHint>,
    /// Files that are there for whoever works on it.
    pub read: Vec<String>,
}

/// A command that is likely to run the tests, and the file that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestHint {
    pub file: String,
    pub command: String,
}

impl Hints {
    /// Returns what these names, of the entries of a project's root, give away.
    pub fn of<S: AsRef<str>>(names: &[S]) -> Self {
        let has = |name: &str| names.iter().any(|here| here.as_ref() == name);
        let hint =
            |file: &str, command: &str| TestHint { file: file.to_owned(), command: command.to_owned() };
        let mut tests: Vec<TestHint> = TESTS
            .iter()
            .filter_map(|group| group.iter().find(|(file, _)| has(file)))
            .map(|(file, command)| hint(file, command))
            .collect();
        for (ending, command) in TESTS_BY_ENDING {
            let is_told = tests.iter().any(|told| told.command.starts_with(command));
            if let Some(file) =
                names.iter().map(AsRef::as_ref).find(|name| name.ends_with(ending) && !is_told)
            {
                tests.push(hint(file, command));
            }
        }
        Self { tests, read: READ.iter().filter(|name| has(name)).map(|name| (*name).to_owned()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(names: &[&str]) -> Vec<String> {
        Hints::of(names).tests.into_iter().map(|test| test.command).collect()
    }

    #[test]
    fn each_language_has_its_usual_command() {
        assert_eq!(commands(&["Cargo.toml", "src"]), ["cargo test"]);
        assert_eq!(commands(&["go.mod"]), ["go test ./..."]);
        assert_eq!(commands(&["pyproject.toml", "requirements.txt"]), ["python3 -m pytest"]);
        assert_eq!(commands(&["App.sln", "App.csproj"]), ["dotnet test"]);
        assert_eq!(commands(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_lock_file_says_which_program_runs_the_scripts() {
        assert_eq!(commands(&["package.json"]), ["npm test"]);
        assert_eq!(commands(&["package.json", "pnpm-lock.yaml"]), ["pnpm test"]);
        assert_eq!(commands(&["package.json", "package-lock.json", "yarn.lock"]), ["yarn test"]);
    }

    #[test]
    fn a_project_of_several_languages_has_several_with_its_own_word_first() {
        let found = Hints::of(&["Makefile", "Cargo.toml", "package.json", "README.md", "AGENTS.md"]);
        let told: Vec<&str> = found.tests.iter().map(|test| test.command.as_str()).collect();
        assert_eq!(told, ["make test", "cargo test", "npm test"]);
        assert_eq!(found.read, ["AGENTS.md", "README.md"]);
    }

    #[test]
    fn only_whole_names_count() {
        assert_eq!(
            Hints::of(&["Cargo.toml.bak", "my-package.json", "readme.md", "src/go.mod"]),
            Hints::default()
        );
    }
}
