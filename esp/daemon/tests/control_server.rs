//! The XFRM server over real sockets, with a data path that only remembers what it was given.

use std::fs;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use twinbore_esp::dataplane::{Event, Family, IkeDatagram, IkeSink as _};
use twinbore_esp::ike::IkeRouter;
use twinbore_esp::tables::Tables;
use twinbore_esp::xfrm::controller::{Controller, DataPath};
use twinbore_esp::xfrm::engine::Engine;
use twinbore_esp::xfrm::netlink::Builder;
use twinbore_esp::xfrm::records::{Id, Record as _, SaInfo, SpiRange};
use twinbore_esp::xfrm::seqpacket;
use twinbore_esp::xfrm::server::Server;
use twinbore_esp::xfrm::uapi::{group, msg};
use twinbore_esp_wire::{self as wire, Hello, IkeHeader, Verdict};

const NATT_PORT: u16 = 4500;
const PATIENCE: Duration = Duration::from_secs(5);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Remembers the last tables; sends IKE from a socket on loopback, for IPv4 only.
struct FakeDataPath {
    tables: Mutex<Tables>,
    socket: UdpSocket,
}

impl DataPath for FakeDataPath {
    fn publish(&self, tables: Tables) {
        *self.tables.lock().unwrap() = tables;
    }

    fn ike_send_fd(&self, family: Family) -> Option<BorrowedFd<'_>> {
        (family == Family::V4).then(|| self.socket.as_fd())
    }
}

/// A server in a thread; it ends, and its directory goes, when dropped.
struct Bench {
    directory: PathBuf,
    controller: Arc<Controller<FakeDataPath>>,
    ike: Arc<IkeRouter>,
    events: Sender<Event>,
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Bench {
    fn new() -> Bench {
        let name = format!("twinbore-esp-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        let data = FakeDataPath { tables: Mutex::default(), socket: UdpSocket::bind(("127.0.0.1", 0)).unwrap() };
        let mut spi = 0xc000_0000;
        let engine = Engine::new(move || {
            spi += 1;
            spi
        });
        let controller = Arc::new(Controller::new(engine, data));
        let ike = Arc::new(IkeRouter::default());
        let (events, received) = mpsc::channel();
        let listener = seqpacket::listen(&directory.join("xfrm")).unwrap();
        let mut server =
            Server::new(listener, NATT_PORT, Arc::clone(&controller), Arc::clone(&ike), received).unwrap();
        let (stop, stopped) = UnixStream::pair().unwrap();
        let stopped = OwnedFd::from(stopped);
        let thread = thread::spawn(move || server.run(&stopped).unwrap());
        Bench { directory, controller, ike, events, stop: Some(stop), thread: Some(thread) }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("xfrm")
    }

    fn client(&self, hello: Hello) -> Client {
        let client = Client(seqpacket::connect(&self.path()).unwrap());
        client.send(&hello.encode());
        client
    }

    fn clients(&self) -> usize {
        self.controller.read(|engine, _| engine.generations.count())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

struct Client(OwnedFd);

impl Client {
    fn send(&self, octets: &[u8]) {
        seqpacket::send(&self.0, &[std::io::IoSlice::new(octets)], None).unwrap();
    }

    /// The next message; empty when the server has closed the connection.
    fn receive(&self) -> Vec<u8> {
        let mut buffer = vec![0; 8192];
        let deadline = Instant::now() + PATIENCE;
        loop {
            match seqpacket::receive(&self.0, &mut buffer) {
                Ok(Some(len)) => return buffer[..len].to_vec(),
                Ok(None) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Vec::new(),
                Err(error) => panic!("{error}"),
            }
            assert!(Instant::now() < deadline, "nothing came");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The verdict on a UDP port, and the descriptor that came along.
    fn verdict(&self) -> (Verdict, Option<OwnedFd>) {
        let (mut octets, mut control) = ([0u8; 8], [0u64; 8]);
        let mut buffer = libc::iovec { iov_base: octets.as_mut_ptr().cast(), iov_len: octets.len() };
        // SAFETY: every pointer is to a local; an SCM_RIGHTS message carries a descriptor that is ours now.
        unsafe {
            let mut message: libc::msghdr = mem::zeroed();
            (message.msg_iov, message.msg_iovlen) = (&mut buffer, 1);
            (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), mem::size_of_val(&control));
            let len = libc::recvmsg(self.0.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC);
            let header = libc::CMSG_FIRSTHDR(&message);
            let fd = (!header.is_null())
                .then(|| OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<libc::c_int>().read_unaligned()));
            (Verdict::decode(&octets[..usize::try_from(len).unwrap()]).unwrap(), fd)
        }
    }
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn alloc_spi(seq: u32) -> Vec<u8> {
    let info = SaInfo {
        id: Id { daddr: std::net::IpAddr::from([192, 0, 2, 1]).into(), spi: 0, proto: 50 },
        family: libc::AF_INET as u16,
        mode: 1,
        ..SaInfo::default()
    };
    let range = SpiRange { info, min: 0xc000_0000, max: 0xcfff_ffff };
    Builder::new(msg::ALLOCSPI).fields(|out| range.write(out)).finish(seq, 9).to_vec()
}

fn word(octets: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(octets[at..at + 4].try_into().unwrap())
}

#[test]
fn the_socket_is_for_its_owner_and_for_one_server() {
    let bench = Bench::new();
    assert_eq!(fs::metadata(bench.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let second = seqpacket::listen(&bench.path()).unwrap_err();
    assert!(second.to_string().contains("in use by another process"), "{second}");
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_a_file_is_not() {
    let bench = Bench::new();
    let stale = bench.directory.join("stale");
    drop(seqpacket::listen(&stale).unwrap());
    drop(seqpacket::listen(&stale).unwrap());
    let file = bench.directory.join("file");
    fs::write(&file, "precious").unwrap();
    assert!(seqpacket::listen(&file).unwrap_err().to_string().contains("not a socket"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn each_request_of_a_datagram_is_answered_in_order() {
    let bench = Bench::new();
    let client = bench.client(Hello::Xfrm { groups: 0 });
    client.send(&[alloc_spi(1), alloc_spi(2)].concat());
    for seq in [1, 2] {
        let answer = client.receive();
        assert_eq!((word(&answer, 0) as usize, word(&answer, 8), word(&answer, 12)), (answer.len(), seq, 9));
        assert_eq!(answer[4..6], msg::NEWSA.to_ne_bytes());
    }
    assert_eq!(bench.controller.read(|engine, _| engine.sad.larval_count()), 2);
}

#[test]
fn a_length_that_lies_is_refused_and_garbage_ends_the_connection() {
    let bench = Bench::new();
    let client = bench.client(Hello::Xfrm { groups: 0 });
    let mut lying = alloc_spi(3);
    lying[..4].copy_from_slice(&5000u32.to_ne_bytes());
    client.send(&lying);
    let answer = client.receive();
    assert_eq!((word(&answer, 8), word(&answer, 16) as i32), (3, -libc::EINVAL));
    client.send(&[1, 2, 3]);
    assert!(client.receive().is_empty());
    eventually("the client is forgotten", || bench.clients() == 0);
}

#[test]
fn only_listeners_of_the_group_are_told() {
    let bench = Bench::new();
    let listener = bench.client(Hello::Xfrm { groups: group::EXPIRE | group::MAPPING });
    let other = bench.client(Hello::Xfrm { groups: group::ACQUIRE });
    // Answers to requests prove that both are known to the server.
    for client in [&listener, &other] {
        client.send(&alloc_spi(1));
        client.receive();
    }
    let mut request = SaInfo::read(&mut twinbore_esp::xfrm::netlink::Reader::new(&alloc_spi(0)[16..])).unwrap();
    request.id.spi = 0xdead_beef;
    request.saddr = std::net::IpAddr::from([198, 51, 100, 1]).into();
    let mut algorithm = b"rfc4106(gcm(aes))".to_vec();
    algorithm.resize(64, 0);
    algorithm.extend([160u32.to_ne_bytes(), 128u32.to_ne_bytes()].concat());
    algorithm.extend([7; 20]);
    let new = Builder::new(msg::NEWSA).fields(|out| request.write(out)).attribute(18, &algorithm).finish(2, 9);
    other.send(&new);
    let answer = other.receive();
    assert_eq!(word(&answer, 16), 0);
    let destination = [192, 0, 2, 1].into();
    assert!(bench.controller.data.tables.lock().unwrap().inbound(0xdead_beef, destination).is_some());

    let event =
        Event::Mapping { spi: 0xdead_beef, dst: destination, new_addr: [198, 51, 100, 1].into(), new_port: 9 };
    bench.events.send(event).unwrap();
    assert_eq!(listener.receive()[4..6], msg::MAPPING.to_ne_bytes());
    other.send(&alloc_spi(4));
    assert_eq!(other.receive()[4..6], msg::NEWSA.to_ne_bytes());

    drop((listener, other));
    eventually("the SA is an orphan", || {
        bench.controller.read(|engine, _| engine.sad.installed().all(|installed| engine.is_orphan(installed)))
    });
    assert!(bench.controller.data.tables.lock().unwrap().inbound(0xdead_beef, destination).is_some());
}

#[test]
fn foreign_greetings_end_the_connection() {
    let bench = Bench::new();
    let mut newer = Hello::Xfrm { groups: 0 }.encode();
    newer[5] += 1;
    for greeting in [&newer[..], b"hello", &[0; 12]] {
        let client = Client(seqpacket::connect(&bench.path()).unwrap());
        client.send(greeting);
        assert!(client.receive().is_empty());
    }
}

#[test]
fn ports_are_told_apart() {
    let bench = Bench::new();
    let ask = |family, port| bench.client(Hello::Udp { family, port }).verdict();
    assert!(matches!(ask(wire::Family::V4, 500), (Verdict::NotMine, None)));
    assert!(matches!(ask(wire::Family::V6, NATT_PORT), (Verdict::NoFamily, None)));
    let (verdict, fd) = ask(wire::Family::V4, NATT_PORT);
    assert_eq!(verdict, Verdict::Accepted);
    let socket = UdpSocket::from(fd.unwrap());
    assert_eq!(socket.local_addr().unwrap(), bench.controller.data.socket.local_addr().unwrap());
}

#[test]
fn datagrams_for_ike_reach_the_newest_connection() {
    let bench = Bench::new();
    let hello = Hello::Udp { family: wire::Family::V4, port: NATT_PORT };
    let header = IkeHeader { from: "198.51.100.1:4500".parse().unwrap(), local: [192, 0, 2, 1].into(), ifindex: 3 };
    let deliver = |payload: &[u8]| {
        let IkeHeader { from, local, ifindex } = header;
        bench.ike.deliver(IkeDatagram { from, local, ifindex, payload });
    };
    let taken = |payload: &[u8]| {
        let before = bench.ike.dropped();
        deliver(payload);
        bench.ike.dropped() == before
    };
    assert!(!taken(b"nobody there"));
    let first = bench.client(hello);
    first.verdict();
    // The verdict comes first, so that no datagram can be taken for it.
    eventually("the first connection is served", || taken(b"first"));
    assert_eq!(first.receive(), [&header.encode()[..], b"first"].concat());
    let second = bench.client(hello);
    second.verdict();
    drop(first);
    eventually("the second connection is served", || taken(b"second"));
    assert_eq!(second.receive()[IkeHeader::SIZE..], *b"second");
    drop(second);
    eventually("the connection is forgotten", || !taken(b"late"));
}

#[test]
fn the_stop_descriptor_ends_the_server() {
    let mut bench = Bench::new();
    let client = bench.client(Hello::Xfrm { groups: 0 });
    drop(bench.stop.take());
    assert!(client.receive().is_empty());
}
