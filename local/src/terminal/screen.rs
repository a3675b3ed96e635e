//! A view that takes the whole terminal for as long as it is looked at, and leaves it as it was.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use console::{Term, truncate_str};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use tokio::sync::mpsc;

/// The other screen, on which what stood there before is not overwritten, and no cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The terminal while a view has it; dropped, it is as before.
#[derive(Debug)]
pub struct Screen {
    /// What the keyboard was like, where there is one.
    before: Option<Termios>,
    keys: mpsc::UnboundedReceiver<u8>,
}

impl Screen {
    /// Takes the terminal; `None` where stdout is none.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn take() -> io::Result<Option<Self>> {
        if !io::stdout().is_terminal() {
            return Ok(None);
        }
        let stdin = io::stdin();
        let (pressed, keys) = mpsc::unbounded_channel();
        let mut before = None;
        if stdin.is_terminal() {
            let modes = tcgetattr(&stdin)?;
            let mut quiet = modes.clone();
            // A key counts at once and is not shown; Ctrl-C is a signal still.
            quiet.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
            quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(&stdin, OptionalActions::Now, &quiet)?;
            before = Some(modes);
            // A thread of its own: it ends with the process, which need not wait for another key.
            std::thread::spawn(move || {
                for byte in io::stdin().lock().bytes() {
                    if byte.is_ok_and(|byte| pressed.send(byte).is_err()) {
                        break;
                    }
                }
            });
        }
        let screen = Self { before, keys };
        command::screen_is_taken(true);
        write(ENTER)?;
        Ok(Some(screen))
    }

    /// Shows `text` instead of what was there, as much of it as fits.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn show(&self, text: &str) -> io::Result<()> {
        let (height, width) = Term::stdout().size();
        let mut frame = "\x1b[H".to_owned();
        for (at, line) in text.lines().take(height.into()).enumerate() {
            if at > 0 {
                frame += "\r\n";
            }
            frame += &truncate_str(line, width.into(), "…");
            frame += "\x1b[K";
        }
        write(&(frame + "\x1b[J"))
    }

    /// The next key. Where there is no keyboard there never is one.
    pub async fn key(&mut self) -> u8 {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Errors are left alone: then nobody looks any more.
        let _ = write(LEAVE);
        command::screen_is_taken(false);
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
