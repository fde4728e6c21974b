//! Starting programs: the one place that does.
//!
//! Every program runs without stdin, so none can wait for an answer, and in our process group, so
//! that Ctrl-C ends it together with us.

use std::io::{self, BufRead, BufReader};
use std::iter;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// It is not installed, or can't be executed.
    #[error("`{program}` could not be started: {error}")]
    NotStarted {
        /// What was to be run.
        program: String,
        /// What the system said.
        error: io::Error,
    },
    /// Its output could not be read, or its end not be awaited.
    #[error("`{program}` was lost: {error}")]
    Lost {
        /// What was run.
        program: String,
        /// What the system said.
        error: io::Error,
    },
    /// It ended with a status other than 0.
    #[error("`{program}` failed with {status}")]
    Failed {
        /// What was run.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
}

/// Runs a program and shows what it prints.
pub(crate) fn run(command: &mut Command) -> Result<(), RunError> {
    announce(command);
    execute(command.stdout(Stdio::inherit()), |_| {})
}

/// Runs a program, shows what it prints, and gives `on_line` each line of its stdout.
pub(crate) fn run_reading(
    command: &mut Command,
    mut on_line: impl FnMut(&str),
) -> Result<(), RunError> {
    announce(command);
    execute(command.stdout(Stdio::piped()), |line| {
        println!("{line}");
        on_line(line);
    })
}

/// Runs a program silently and returns its stdout.
pub(crate) fn read(command: &mut Command) -> Result<String, RunError> {
    let mut text = String::new();
    execute(command.stdout(Stdio::piped()).stderr(Stdio::null()), |line| {
        text.push_str(line);
        text.push('\n');
    })?;
    Ok(text)
}

/// Runs a program silently and returns what it wrote to stderr, whatever came of it.
pub(crate) fn read_errors(command: &mut Command) -> (Result<(), RunError>, String) {
    let program = describe(command);
    match command.stdin(Stdio::null()).output() {
        Ok(Output { status, stderr, .. }) => {
            let outcome =
                if status.success() { Ok(()) } else { Err(RunError::Failed { program, status }) };
            (outcome, String::from_utf8_lossy(&stderr).into_owned())
        }
        Err(error) => (Err(RunError::NotStarted { program, error }), String::new()),
    }
}

/// Runs a program in our place: what it prints and how it ends is ours.
pub(crate) fn stand_in(command: &mut Command) -> ExitCode {
    let status = command.stdin(Stdio::null()).status().ok().and_then(|status| status.code());
    let code = status.and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// How a program ended that had so much time.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It did its work.
    Well,
    /// It failed, or could not be run.
    Badly(RunError),
    /// It was ended when its time was over.
    Late,
}

/// Runs a program silently for so long at most, and returns its stdout, whatever came of it.
pub(crate) fn read_within(command: &mut Command, patience: Duration) -> (Ending, String) {
    let program = describe(command);
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = match quiet.spawn() {
        Ok(child) => child,
        Err(error) => {
            return (Ending::Badly(RunError::NotStarted { program, error }), String::new());
        }
    };
    let stdout = child.stdout.take().expect("it is piped");
    let reader = thread::spawn(move || io::read_to_string(stdout).unwrap_or_default());
    let ending = match end_within(&mut child, patience) {
        Ok(Some(status)) if status.success() => Ending::Well,
        Ok(Some(status)) => Ending::Badly(RunError::Failed { program, status }),
        Ok(None) => Ending::Late,
        Err(error) => Ending::Badly(RunError::Lost { program, error }),
    };
    (ending, reader.join().expect("reading does not panic"))
}

/// Waits for the end of a program, or brings it about; `None` if it was brought about.
fn end_within(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    while began.elapsed() < patience {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(LOOK_INTERVAL);
    }
    child.kill()?;
    child.wait().map(|_| None)
}

fn announce(command: &Command) {
    println!("$ {}", describe(command));
}

fn execute(command: &mut Command, on_line: impl FnMut(&str)) -> Result<(), RunError> {
    let program = describe(command);
    let mut child = match command.stdin(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => return Err(RunError::NotStarted { program, error }),
    };
    match follow(&mut child, on_line) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(RunError::Failed { program, status }),
        Err(error) => Err(RunError::Lost { program, error }),
    }
}

/// Reads what `child` prints, if that is ours to read, and waits for its end.
fn follow(child: &mut Child, mut on_line: impl FnMut(&str)) -> io::Result<ExitStatus> {
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line)? > 0 {
            on_line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
            line.clear();
        }
    }
    child.wait()
}

/// The command as a person would type it.
fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(program.as_os_str());
    let words = iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// How often to look whether a program has ended, where that can't just be waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that every machine with a Rust toolchain has.
    fn rustc(arguments: &[&str]) -> Command {
        let mut command = Command::new("rustc");
        command.args(arguments);
        command
    }

    #[test]
    fn a_program_is_read_line_by_line() {
        let mut lines = Vec::new();
        run_reading(&mut rustc(&["--version", "--verbose"]), |line| lines.push(line.to_owned()))
            .unwrap();
        assert!(lines[0].starts_with("rustc "), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("host: ")), "{lines:?}");
        assert_eq!(read(&mut rustc(&["--version"])).unwrap(), format!("{}\n", lines[0]));
    }

    #[test]
    fn a_bad_status_is_told_with_the_command() {
        let error = read(&mut rustc(&["--no-such-option"])).unwrap_err();
        assert!(matches!(&error, RunError::Failed { .. }), "{error:?}");
        assert!(error.to_string().starts_with("`rustc --no-such-option` failed with "), "{error}");
    }

    #[test]
    fn what_a_program_complains_of_is_read_whether_it_fails_or_not() {
        let (outcome, printed) = read_errors(&mut rustc(&["--no-such-option"]));
        assert!(outcome.is_err() && printed.contains("no-such-option"), "{printed}");
        assert!(read_errors(&mut rustc(&["--version"])).0.is_ok());
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let (ended, printed) = read_within(&mut rustc(&["--version"]), Duration::from_secs(60));
        assert!(matches!(ended, Ending::Well) && printed.starts_with("rustc "), "{printed}");
        let (ended, _) = read_within(&mut rustc(&["--no-such"]), Duration::from_secs(60));
        assert!(matches!(ended, Ending::Badly(RunError::Failed { .. })), "{ended:?}");
        let (ended, _) = read_within(&mut rustc(&["--version"]), Duration::ZERO);
        assert!(matches!(ended, Ending::Late), "{ended:?}");
    }

    #[test]
    fn a_program_that_is_not_there_was_not_started() {
        let error = read(&mut Command::new("tristero-no-such-program")).unwrap_err();
        assert!(matches!(error, RunError::NotStarted { .. }), "{error:?}");
    }

    #[test]
    fn commands_are_described_as_they_are_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["fmt", "--all"]);
        assert_eq!(describe(&command), "cargo fmt --all");
    }
}
