//! One Redis command, kept in the form in which it goes to Redis.

/// A command: its arguments (the name is the first) already encoded as RESP2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    count: usize,
    wire: Vec<u8>,
}

impl Command {
    /// Appends an argument.
    pub(super) fn push(&mut self, argument: &[u8]) {
        self.count += 1;
        write_header(&mut self.wire, b'$', argument.len());
        self.wire.extend_from_slice(argument);
        self.wire.extend_from_slice(b"\r\n");
    }

    /// How many arguments there are, the name included.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether there is not even a name.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The arguments, the name first.
    pub(super) fn args(&self) -> Args<'_> {
        Args { rest: &self.wire }
    }

    /// The name in capitals, as Redis' own tables have it.
    pub(super) fn name(&self) -> String {
        self.word(0)
    }

    /// The argument at `index` in capitals, or nothing: for names, subcommands and options.
    pub(super) fn word(&self, index: usize) -> String {
        // No name or option of Redis is longer; a megabyte of key needs no copy in capitals.
        let word = self.args().nth(index).filter(|word| word.len() <= 64).unwrap_or_default();
        String::from_utf8_lossy(word).to_ascii_uppercase()
    }

    /// Appends the command to what is about to be sent.
    pub(super) fn write_to(&self, wire: &mut Vec<u8>) {
        write_header(wire, b'*', self.count);
        wire.extend_from_slice(&self.wire);
    }
}

impl<A: AsRef<[u8]>> FromIterator<A> for Command {
    fn from_iter<I: IntoIterator<Item = A>>(arguments: I) -> Self {
        let mut command = Self::default();
        for argument in arguments {
            command.push(argument.as_ref());
        }
        command
    }
}

/// The arguments of a [`Command`].
#[derive(Clone, Debug)]
pub(super) struct Args<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // `push` wrote these bytes: `$`, the length, a line break, the argument, a line break.
        let line = self.rest.iter().position(|byte| *byte == b'\r')?;
        let length: usize = std::str::from_utf8(self.rest.get(1..line)?).ok()?.parse().ok()?;
        let argument = self.rest.get(line + 2..line + 2 + length)?;
        self.rest = self.rest.get(line + 4 + length..)?;
        Some(argument)
    }
}

fn write_header(wire: &mut Vec<u8>, kind: u8, number: usize) {
    wire.push(kind);
    wire.extend_from_slice(number.to_string().as_bytes());
    wire.extend_from_slice(b"\r\n");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keeps_any_bytes() {
        let arguments: [&[u8]; 4] = [b"set", b"", b"\r\n$3\r\n", b"\xff\0"];
        let command: Command = arguments.iter().collect();
        assert_eq!(command.len(), 4);
        assert_eq!(command.args().collect::<Vec<_>>(), arguments);
        assert_eq!(command.name(), "SET");
        let mut wire = Vec::new();
        command.write_to(&mut wire);
        assert_eq!(wire, b"*4\r\n$3\r\nset\r\n$0\r\n\r\n$6\r\n\r\n$3\r\n\r\n$2\r\n\xff\0\r\n");
    }
}
