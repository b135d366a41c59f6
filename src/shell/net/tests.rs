//! Over real sockets, with a service that does what each frame's first byte says.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::sync::{Condvar, LazyLock, Mutex};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::creation_rate::Window;
use super::limits::tests::quotas;
use super::limits::{ListenerQuota, Quotas};
use super::listen::{Address, SocketOptions};
use super::*;
use crate::shell::service::{Answer, Memory, Origin};
use crate::shell::tasks::Thread;
use crate::wire::reply::{Chunk, FileRange, RangeSource, Reply};

const REQUEST_BYTES_MAX: i32 = 8 << 20;
/// Long enough for a slow machine: only a test that fails takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file of `BYTES` known bytes, with and without a descriptor for sendfile.
struct Range {
    file: std::fs::File,
    is_sendable: bool,
}

impl Range {
    const BYTES: usize = 4 << 20;

    fn new(is_sendable: bool) -> Arc<Self> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&CONTENT, 0).unwrap();
        Arc::new(Self { file, is_sendable })
    }
}

static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..Range::BYTES as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
});

impl RangeSource for Range {
    fn read_exact_at(&self, into: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_exact_at(into, position)
    }

    fn file(&self) -> Option<BorrowedFd<'_>> {
        self.is_sendable.then(|| self.file.as_fd())
    }
}

/// `e…` is echoed now, `l…` is echoed when the test says so, as `a…`, which is not overtaken; `n` gets no answer, `c` closes, `p` panics, `s…` and
/// `r…` are answered with ranges of a file, given as pairs of position and length.
struct Scripted {
    sendable: LazyLock<Arc<Range>>,
    readable: LazyLock<Arc<Range>>,
    calls: Mutex<Vec<u8>>,
    called: Condvar,
    held: Mutex<VecDeque<oneshot::Sender<()>>>,
}

impl Scripted {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            sendable: LazyLock::new(|| Range::new(true)),
            readable: LazyLock::new(|| Range::new(false)),
            calls: Mutex::default(),
            called: Condvar::new(),
            held: Mutex::default(),
        })
    }

    /// The second byte of every frame so far.
    fn calls(&self) -> Vec<u8> {
        self.calls.lock().unwrap().clone()
    }

    fn wait_for_calls(&self, count: usize) {
        let calls = self.calls.lock().unwrap();
        let enough = |calls: &mut Vec<u8>| calls.len() < count;
        let (calls, waited) = self.called.wait_timeout_while(calls, PATIENCE, enough).unwrap();
        assert!(!waited.timed_out(), "{} calls of {count}", calls.len());
    }

    /// Lets the oldest answer that is held go.
    fn release(&self) {
        self.held.lock().unwrap().pop_front().unwrap().send(()).unwrap();
    }
}

fn echo(frame: &Bytes) -> Answer {
    Answer::Now(Reply::of_bytes(framed(frame).into()))
}

fn ranges(source: &Arc<Range>, frame: &[u8]) -> Answer {
    let pairs = frame[1..].chunks_exact(8).map(|pair| {
        let number = |at| u32::from_be_bytes(pair[at..at + 4].try_into().unwrap());
        (number(0), number(4))
    });
    let total: u32 = pairs.clone().map(|(_, length)| length + 1).sum();
    let mut reply = Reply::of_bytes(total.to_be_bytes().to_vec().into());
    for (position, length_bytes) in pairs {
        let source = Arc::clone(source) as Arc<dyn RangeSource>;
        let position = u64::from(position);
        reply.chunks.push(Chunk::File(FileRange { source, position, length_bytes }));
        reply.chunks.push(Chunk::Bytes(Bytes::from_static(b"|")));
    }
    Answer::Now(reply)
}

impl Service for Scripted {
    /// The third byte's worth of MiB.
    fn decoded_bytes(&self, frame: &Bytes) -> usize {
        if frame[0] == b'm' { usize::from(frame[2]) << 20 } else { 0 }
    }

    fn call(&self, _: &Origin, frame: Bytes, memory: Memory) -> Answer {
        self.calls.lock().unwrap().push(frame.get(1).copied().unwrap_or_default());
        let answer = match frame[0] {
            b'e' => echo(&frame),
            b'l' => {
                let (sender, released) = oneshot::channel();
                self.held.lock().unwrap().push_back(sender);
                Answer::Later(Box::pin(async move {
                    released.await.unwrap();
                    echo(&frame)
                }))
            }
            b'a' => {
                let (sender, released) = oneshot::channel();
                self.held.lock().unwrap().push_back(sender);
                Answer::Alone(Box::pin(async move {
                    released.await.unwrap();
                    echo(&frame)
                }))
            }
            b'm' => {
                let (sender, released) = oneshot::channel();
                self.held.lock().unwrap().push_back(sender);
                Answer::Later(Box::pin(async move {
                    released.await.unwrap();
                    drop(memory);
                    echo(&frame)
                }))
            }
            b'n' => Answer::None,
            b's' => ranges(&self.sendable, &frame),
            b'r' => ranges(&self.readable, &frame),
            b'p' => std::panic::resume_unwind(Box::new(())),
            _ => Answer::Close,
        };
        self.called.notify_all();
        answer
    }
}

fn source(quotas: Quotas) -> QuotaSource {
    let quotas = Arc::new(quotas);
    Arc::new(move || Arc::clone(&quotas))
}

/// A server on a thread of its own.
struct Host {
    address: SocketAddr,
    service: Arc<Scripted>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<Thread>,
}

impl Host {
    fn start(adapt: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            threads: 1,
            request_bytes_max: REQUEST_BYTES_MAX,
            idle_max: None,
            tick_max: worker::TICK_MAX,
            quotas: source(quotas(100, 100)),
            controller_quotas: source(quotas(100, 100)),
            queued_bytes_max: 100 << 20,
        };
        adapt(&mut settings);
        let service = Scripted::new();
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let answers = Arc::clone(&service);
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let name = Address {
                    name: "T".into(),
                    listener_type: ListenerType::Broker,
                    host: Some("127.0.0.1".into()),
                    port: 0,
                };
                let options = SocketOptions {
                    send_buffer_bytes: Some(102_400),
                    receive_buffer_bytes: Some(102_400),
                    backlog: 50,
                };
                let bound = Bound::all(&name, options).unwrap();
                let server = Server::start(&settings, bound, &answers, Clock::new()).unwrap();
                tell.send(server.addresses()[0]).unwrap();
                let _ = stopped.await;
                server.stop().await;
            });
        };
        let thread = Thread::start("host", serve).unwrap();
        Self { address: told.recv().unwrap(), service, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(stream)
    }

    /// Everything ready on the server's only thread has had its turn when this returns.
    fn let_all_have_their_turn(&self) {
        let mut client = self.connect();
        for _ in 0..20 {
            client.send(b"e.");
            assert_eq!(client.answer(), b"e.");
        }
    }

    fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

struct Client(TcpStream);

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as i32).to_be_bytes(), body].concat()
}

impl Client {
    fn send(&mut self, body: &[u8]) {
        self.0.write_all(&framed(body)).unwrap();
    }

    fn answer(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap();
        let mut body = vec![0; i32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body).unwrap();
        body
    }

    /// What comes before the server closes or resets the connection.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
        rest
    }
}

fn body(first: u8, length: usize) -> Vec<u8> {
    (0..length).map(|i| if i == 0 { first } else { (i * 31 % 251) as u8 }).collect()
}

#[test]
fn frames_of_any_length_arrive_whole_however_they_are_cut() {
    let host = Host::start(|_| ());
    let kib = 1024;
    let lengths =
        [1, 10, 2 * kib, 2 * kib + 1, 32 * kib, 32 * kib + 1, 64 * kib - 4, 64 * kib, 3 << 20];
    let sent: Vec<_> = lengths.iter().chain(lengths.iter().rev()).collect();
    let stream: Vec<u8> = sent.iter().flat_map(|&&length| framed(&body(b'e', length))).collect();
    for cut in [stream.len(), 1_000_003, 65_537, 4_099, 1_021] {
        let mut client = host.connect();
        let mut writer = Client(client.0.try_clone().unwrap());
        let pieces = stream.clone();
        let writing = Thread::start("writer", move || {
            pieces.chunks(cut).for_each(|piece| writer.0.write_all(piece).unwrap());
        });
        for &&length in &sent {
            assert_eq!(client.answer(), body(b'e', length), "{length} in pieces of {cut}");
        }
        writing.unwrap().join().unwrap();
    }
}

#[test]
fn a_frame_may_come_byte_by_byte() {
    let host = Host::start(|_| ());
    let mut client = host.connect();
    for byte in framed(&body(b'e', 300)).into_iter().chain(framed(b"e")) {
        client.0.write_all(&[byte]).unwrap();
    }
    assert_eq!(client.answer(), body(b'e', 300));
    assert_eq!(client.answer(), b"e");
}

#[test]
fn ten_thousand_requests_without_reading_wait_outside_and_are_answered_in_order() {
    let host = Host::start(|_| ());
    let mut client = host.connect();
    client.send(b"l.");
    let mut writer = Client(client.0.try_clone().unwrap());
    let frame = |i: u32| [&b"e."[..], &i.to_be_bytes(), &[7; 500]].concat();
    let writing = Thread::start("writer", move || (0..10_000).for_each(|i| writer.send(&frame(i))));
    host.service.wait_for_calls(outbound::QUEUED_ANSWERS_MAX);
    host.let_all_have_their_turn();
    assert_eq!(host.service.calls().len(), outbound::QUEUED_ANSWERS_MAX + 20);
    host.service.release();
    assert_eq!(client.answer(), b"l.");
    for i in 0..10_000 {
        assert_eq!(client.answer(), frame(i));
    }
    writing.unwrap().join().unwrap();
}

#[test]
fn who_does_not_read_is_not_read_from_and_holds_nobody_up() {
    let host = Host::start(|_| ());
    let mut client = host.connect();
    let mut writer = Client(client.0.try_clone().unwrap());
    let large = body(b'e', 512 * 1024);
    let sent = large.clone();
    let writing = Thread::start("writer", move || (0..64).for_each(|_| writer.send(&sent)));
    host.service.wait_for_calls(2);
    host.let_all_have_their_turn();
    // 32 MiB are on their way: what the server and both sockets do not take is still at the client.
    assert!(host.service.calls().len() - 20 < 16);
    for _ in 0..64 {
        assert!(client.answer() == large);
    }
    writing.unwrap().join().unwrap();
}

#[test]
fn a_wrong_length_closes_after_the_answers_to_what_came_before() {
    let host = Host::start(|_| ());
    let lengths = [-1, i32::MIN, 0, REQUEST_BYTES_MAX + 1, i32::MAX];
    for length in lengths {
        let mut client = host.connect();
        client.0.write_all(&[framed(b"e1"), length.to_be_bytes().to_vec()].concat()).unwrap();
        assert_eq!(client.rest(), framed(b"e1"), "{length}");
    }
    for stranger in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x16, 3, 1, 0, 200, 1]] {
        let mut client = host.connect();
        client.0.write_all(stranger).unwrap();
        assert_eq!(client.rest(), b"");
    }
    assert_eq!(host.service.calls().len(), lengths.len());
}

#[test]
fn a_connection_that_is_reset_inside_a_frame_gives_its_place_back() {
    let host = Host::start(|settings| settings.quotas = source(quotas(1, 100)));
    for length in [100_000_i32, 1_000] {
        let mut client = host.connect();
        client.0.write_all(&[&length.to_be_bytes()[..], &[0; 900]].concat()).unwrap();
        socket2::SockRef::from(&client.0).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
    }
    let mut next = host.connect();
    next.send(b"e1");
    assert_eq!(next.answer(), b"e1");
}

#[test]
fn a_panic_ends_its_connection_and_no_other() {
    let host = Host::start(|settings| settings.quotas = source(quotas(2, 100)));
    let mut other = host.connect();
    for _ in 0..3 {
        let mut client = host.connect();
        client.send(b"p.");
        assert_eq!(client.rest(), b"");
    }
    other.send(b"e1");
    assert_eq!(other.answer(), b"e1");
}

#[test]
fn no_answer_is_no_answer_and_close_is_the_end() {
    let host = Host::start(|_| ());
    let mut client = host.connect();
    let all: Vec<u8> =
        [&b"e1"[..], b"n2", b"e3", b"c4", b"e5"].iter().flat_map(|f| framed(f)).collect();
    client.0.write_all(&all).unwrap();
    assert_eq!(client.rest(), [framed(b"e1"), framed(b"e3")].concat());
    assert_eq!(host.service.calls(), b"1234");
}

#[test]
fn a_close_waits_for_the_answers_before_it() {
    let host = Host::start(|_| ());
    let mut client = host.connect();
    let all: Vec<u8> = [&b"l1"[..], b"n2", b"c3", b"e4"].iter().flat_map(|f| framed(f)).collect();
    client.0.write_all(&all).unwrap();
    host.service.wait_for_calls(3);
    host.let_all_have_their_turn();
    host.service.release();
    assert_eq!(client.rest(), framed(b"l1"));
    assert!(!host.service.calls().contains(&b'4'));
}

#[test]
fn answers_keep_the_order_of_their_requests() {
    let host = Host::start(|_| ());
    let mut client = host.connect();
    for frame in [&b"l1"[..], b"e2", b"l3", b"n4", b"e5"] {
        client.send(frame);
    }
    host.service.wait_for_calls(5);
    let first = host.service.held.lock().unwrap().pop_front().unwrap();
    host.service.release();
    first.send(()).unwrap();
    for expected in [b"l1", b"e2", b"l3", b"e5"] {
        assert_eq!(client.answer(), expected);
    }
}

/// A transactional Produce waited for the transaction before it to end; the one behind it on the connection was vouched
/// for first, and refused because its sequence was not the next one.
#[test]
fn what_must_not_be_overtaken_is_not() {
    let host = Host::start(|_| ());
    let mut client = host.connect();
    let all = [&b"l1"[..], b"a2", b"e3", b"a4", b"l5"];
    client.0.write_all(&all.map(framed).concat()).unwrap();
    client.0.shutdown(Shutdown::Write).unwrap();
    for (known, released) in [(&b"12"[..], 2), (b"1234", 1), (b"12345", 1)] {
        host.service.wait_for_calls(known.len());
        host.let_all_have_their_turn();
        let calls = host.service.calls();
        let calls: Vec<u8> = calls.into_iter().filter(|call| *call != b'.').collect();
        assert_eq!(calls, known);
        (0..released).for_each(|_| host.service.release());
    }
    assert_eq!(client.rest(), all.map(framed).concat());
}

#[test]
fn after_its_last_request_a_client_may_close_its_half_and_still_be_answered() {
    let host = Host::start(|_| ());
    let mut client = host.connect();
    client.send(b"l1");
    client.send(b"e2");
    client.0.shutdown(Shutdown::Write).unwrap();
    host.service.wait_for_calls(2);
    host.let_all_have_their_turn();
    host.service.release();
    assert_eq!(client.rest(), [framed(b"l1"), framed(b"e2")].concat());
}

#[test]
fn ranges_of_files_arrive_as_they_are_by_either_way() {
    let host = Host::start(|_| ());
    let content = &*CONTENT;
    let kib = 1024_u32;
    let cases: [&[(u32, u32)]; 6] = [
        &[(0, 1)],
        &[(7, 32 * kib), (3, 32 * kib), (1, 9)],
        &[(9, 32 * kib + 1)],
        &[(1, 0), (0, 100), (50, 3 << 20), (5, 20), (1 << 20, 200 * kib)],
        &[(3, 1000); 300],
        &[(11, 1 << 20); 8],
    ];
    for way in [b's', b'r'] {
        let mut client = host.connect();
        for case in cases {
            let numbers = case.iter().flat_map(|&(position, length)| [position, length]);
            let request: Vec<u8> = numbers.flat_map(u32::to_be_bytes).collect();
            client.send(&[&[way], &request[..]].concat());
            client.send(b"e between");
        }
        for case in cases {
            let slices =
                case.iter().map(|&(from, length)| &content[from as usize..][..length as usize]);
            let expected: Vec<u8> = slices.flat_map(|slice| [slice, b"|"].concat()).collect();
            assert!(client.answer() == expected, "{case:?}");
            assert_eq!(client.answer(), b"e between");
        }
    }
}

#[test]
fn a_file_that_ends_early_ends_the_connection() {
    let host = Host::start(|_| ());
    for (way, length) in [(b's', 100_u32), (b's', 100_000), (b'r', 100_000)] {
        let mut client = host.connect();
        let position = Range::BYTES as u32 - 10;
        client.send(&[&[way], &position.to_be_bytes()[..], &length.to_be_bytes()].concat());
        assert!(client.rest().len() <= 4 + 10, "{length}");
    }
}

#[test]
fn who_is_idle_is_closed_and_who_waits_for_an_answer_is_not() {
    let host = Host::start(|settings| settings.idle_max = Some(Duration::from_millis(40)));
    let mut waiting = host.connect();
    waiting.send(b"l1");
    host.service.wait_for_calls(1);
    let mut silent = host.connect();
    let mut inside_a_frame = host.connect();
    inside_a_frame.0.write_all(&[0, 0, 0, 9, b'e']).unwrap();
    let mut inside_a_large_frame = host.connect();
    inside_a_large_frame.0.write_all(&[0, 1, 0, 0, b'e']).unwrap();
    let mut never_reading = host.connect();
    let whole = [&b"s"[..], &0_u32.to_be_bytes(), &(4_u32 << 20).to_be_bytes()].concat();
    (0..4).for_each(|_| never_reading.send(&whole));
    for idle in [&mut silent, &mut inside_a_frame, &mut inside_a_large_frame] {
        assert_eq!(idle.rest(), b"");
    }
    // All four fell idle before this one connects, so when it is closed they are.
    assert_eq!(host.connect().rest(), b"");
    assert!(never_reading.rest().len() < 4 * (4 << 20));
    host.service.release();
    assert_eq!(waiting.answer(), b"l1");
}

#[test]
fn a_frame_waits_until_the_memory_has_a_place_for_it() {
    let host = Host::start(|settings| settings.queued_bytes_max = 100 * 1024);
    let (first, second) = (framed(&body(b'e', 60 << 10)), framed(&body(b'e', 61 << 10)));
    let mut a = host.connect();
    a.0.write_all(&first[..40_000]).unwrap();
    host.let_all_have_their_turn();
    let mut b = host.connect();
    // Cut, so that it does not land whole.
    b.0.write_all(&second[..40_000]).unwrap();
    host.let_all_have_their_turn();
    b.0.write_all(&second[40_000..]).unwrap();
    host.let_all_have_their_turn();
    assert_eq!(host.service.calls().len(), 60);
    a.0.write_all(&first[40_000..]).unwrap();
    assert_eq!(a.answer(), body(b'e', 60 << 10));
    assert_eq!(b.answer(), body(b'e', 61 << 10));
}

#[test]
fn a_place_in_memory_that_is_not_used_is_given_up_when_others_want_it() {
    let host = Host::start(|settings| {
        settings.queued_bytes_max = 100 * 1024;
        settings.tick_max = Duration::from_millis(10);
    });
    let frame = framed(&body(b'e', 60 << 10));
    let mut silent = host.connect();
    silent.0.write_all(&frame[..40_000]).unwrap();
    host.let_all_have_their_turn();
    let mut other = host.connect();
    other.0.write_all(&frame[..40_000]).unwrap();
    host.let_all_have_their_turn();
    other.0.write_all(&frame[40_000..]).unwrap();
    assert_eq!(other.answer(), body(b'e', 60 << 10));
    assert_eq!(silent.rest(), b"");
}

#[test]
fn who_sent_nonsense_and_does_not_read_falls_idle_too() {
    let host = Host::start(|settings| settings.idle_max = Some(Duration::from_millis(40)));
    let mut client = host.connect();
    client.send(b"l1");
    let whole = [&b"s2"[..1], &0_u32.to_be_bytes(), &(4_u32 << 20).to_be_bytes()].concat();
    (0..4).for_each(|_| client.send(&whole));
    client.0.write_all(&[0xff; 4]).unwrap();
    host.service.wait_for_calls(5);
    host.service.release();
    for _ in 0..2 {
        assert_eq!(host.connect().rest(), b"");
    }
    assert!(client.rest().len() < 4 * (4 << 20));
}

#[test]
fn one_address_gets_no_more_connections_than_it_may() {
    let host = Host::start(|settings| settings.quotas = source(quotas(100, 2)));
    let mut clients = [host.connect(), host.connect()];
    for client in &mut clients {
        client.send(b"e1");
        assert_eq!(client.answer(), b"e1");
    }
    assert_eq!(host.connect().rest(), b"");
    clients[1].send(b"e2");
    assert_eq!(clients[1].answer(), b"e2");
}

#[test]
fn a_stop_answers_what_is_under_way_and_does_not_wait_for_ever() {
    let host = Host::start(|settings| settings.threads = 2);
    let clock = Clock::new();
    let (mut idle, mut answered, mut forgotten) = (host.connect(), host.connect(), host.connect());
    idle.send(b"e1");
    assert_eq!(idle.answer(), b"e1");
    answered.send(b"l2");
    host.service.wait_for_calls(2);
    forgotten.send(b"l3");
    host.service.wait_for_calls(3);
    let service = Arc::clone(&host.service);
    let begin = clock.now().mono;
    let stopping = Thread::start("stopping", move || host.stop()).unwrap();
    // Closed by the stop: so the stop has begun.
    assert_eq!(idle.rest(), b"");
    service.release();
    assert_eq!(answered.answer(), b"l2");
    assert_eq!(answered.rest(), b"");
    assert_eq!(forgotten.rest(), b"");
    stopping.join().unwrap();
    assert!(clock.now().mono.since(begin) < Duration::from_secs(2));
}

#[test]
fn a_connection_that_comes_too_fast_waits_for_its_turn() {
    let window = Window { burst: Duration::ZERO, wait_max: Duration::from_hours(1) };
    let listener = |creation_rate: u32| ListenerQuota { creation_rate, is_protected: false };
    for (creation_rate, is_served) in [(i32::MAX as u32, true), (0, false)] {
        let listeners = BTreeMap::from([("T".to_owned(), listener(creation_rate))]);
        let quotas = Quotas { listeners, window, ..quotas(100, 100) };
        let host = Host::start(|settings| settings.quotas = source(quotas));
        let mut client = host.connect();
        client.send(b"e.");
        if is_served {
            assert_eq!(client.answer(), b"e.");
        } else {
            client.0.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            assert!(client.0.read(&mut [0]).is_err(), "it is neither served nor closed");
        }
        host.stop();
    }
}

#[test]
fn what_decodes_to_much_waits_for_memory_and_keeps_its_order() {
    let host = Host::start(|settings| settings.queued_bytes_max = 10 << 20);
    let (mut first, mut second, mut third) = (host.connect(), host.connect(), host.connect());
    first.send(b"m1\x06");
    host.service.wait_for_calls(1);
    // It waits, and so does what comes after it, and whoever needs memory later; who needs none does not.
    second.send(b"m2\x05");
    second.send(b"e3");
    host.let_all_have_their_turn();
    third.send(b"m4\x04");
    host.let_all_have_their_turn();
    let calls = host.service.calls();
    assert!(!calls.iter().any(|call| b"234".contains(call)), "{calls:?}");
    // The first gives its place back, and the others have theirs.
    host.service.release();
    assert_eq!(first.answer(), b"m1\x06");
    second.0.shutdown(Shutdown::Write).unwrap();
    host.let_all_have_their_turn();
    let calls = host.service.calls();
    assert!(b"234".iter().all(|call| calls.contains(call)), "{calls:?}");
    host.service.release();
    host.service.release();
    assert_eq!(third.answer(), b"m4\x04");
    assert_eq!(second.answer(), b"m2\x05");
    assert_eq!(second.answer(), b"e3");
    // One that alone takes more than there is has all of it.
    first.send(b"m5\xff");
    host.let_all_have_their_turn();
    host.service.release();
    assert_eq!(first.answer(), b"m5\xff");
    // Who waits does not hold up the end.
    first.send(b"m6\x0a");
    third.send(b"m7\x01");
    host.let_all_have_their_turn();
    host.stop();
}
