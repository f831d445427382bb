//! Standard output. Whoever reads it may stop at any time (`| head`), and what a command does and how it ends stays the same.

use std::io::{self, Stdout, Write};

/// What is written after the last reader has gone is lost, and no failure.
pub struct Out(Stdout);

impl Out {
    /// That of this process.
    pub fn of_process() -> Self {
        Self(io::stdout())
    }
}

fn read_or_not<T>(written: io::Result<T>, all: T) -> io::Result<T> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(all),
        written => written,
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        read_or_not(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        read_or_not(self.0.flush(), ())
    }
}
