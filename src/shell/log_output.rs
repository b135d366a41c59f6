//! Standard error as the place of log lines, without ever waiting for whoever reads it.
//!
//! A pipe that nobody empties would stop a node that logs into it. A line is written only when the system says that
//! there is room for a whole one, and is dropped otherwise; the next line that gets through is preceded by the number
//! of those that did not.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A longer line is cut: so much fits without waiting into a pipe that has room at all (`PIPE_BUF`).
pub const LINE_BYTES_MAX: usize = 4096;

/// Writes whole lines to a descriptor, or drops them.
#[derive(Debug)]
pub struct LogOutput<F> {
    to: F,
    /// How many lines were dropped since the last that was written. The lock keeps two lines from taking the same room.
    dropped: Mutex<u64>,
}

impl<F: AsFd> LogOutput<F> {
    /// Lines go to `to`.
    pub const fn new(to: F) -> Self {
        Self { to, dropped: Mutex::new(0) }
    }

    fn write_line(&self, line: &[u8]) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        if *dropped > 0 {
            let notice = format!("{} log lines were dropped: nobody reads them\n", *dropped);
            if !self.write_if_room(notice.as_bytes()) {
                *dropped += 1;
                return;
            }
            *dropped = 0;
        }
        let is_written = match line.get(..LINE_BYTES_MAX - 1) {
            Some(cut) if line.len() > LINE_BYTES_MAX => {
                let mut cut = cut.to_vec();
                cut.push(b'\n');
                self.write_if_room(&cut)
            }
            _ => self.write_if_room(line),
        };
        if !is_written {
            *dropped += 1;
        }
    }

    fn write_if_room(&self, line: &[u8]) -> bool {
        let mut ready = [PollFd::new(&self.to, PollFlags::OUT)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let has_room = poll(&mut ready, Some(&now)).is_ok_and(|count| count > 0)
            && ready.iter().all(|one| one.revents().contains(PollFlags::OUT));
        // There is nobody to tell about a log that cannot be written.
        has_room && rustix::io::write(&self.to, line).is_ok()
    }
}

/// One event is one write.
impl<F: AsFd> Write for &LogOutput<F> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read as _, pipe};

    use super::*;

    fn read(mut from: &PipeReader, at_most: usize) -> Vec<u8> {
        let mut bytes = vec![0; at_most];
        let count = from.read(&mut bytes).unwrap();
        bytes.truncate(count);
        bytes
    }

    #[test]
    fn a_full_pipe_drops_lines_and_tells_how_many() {
        let (reader, writer) = pipe().unwrap();
        let output = LogOutput::new(writer);
        let line = [&[b'x'; 999][..], b"\n"].concat();
        let mut lines = 0;
        while *output.dropped.lock().unwrap() < 3 {
            (&output).write_all(&line).unwrap();
            lines += 1;
        }
        let kept = read(&reader, 1 << 20);
        assert_eq!(kept.len(), (lines - 3) * line.len());
        (&output).write_all(b"again\n").unwrap();
        assert_eq!(read(&reader, 4096), b"3 log lines were dropped: nobody reads them\nagain\n");
    }

    #[test]
    fn a_long_line_is_cut_and_a_closed_pipe_is_no_failure() {
        let (reader, writer) = pipe().unwrap();
        let output = LogOutput::new(writer);
        (&output).write_all(&[b'x'; 10_000]).unwrap();
        let cut = read(&reader, 1 << 20);
        assert_eq!((cut.len(), cut.last()), (LINE_BYTES_MAX, Some(&b'\n')));
        drop(reader);
        (&output).write_all(b"nobody\n").unwrap();
    }
}
