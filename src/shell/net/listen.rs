//! From the address of a listener to sockets that wait for connections.
//!
//! `localhost` is both loopback addresses, because clients ask for `::1` first; no host is every address of both
//! families. Options are set on the listening socket, and the system hands them on to what it accepts.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::shell::service::ListenerType;

/// Where a listener is.
#[derive(Clone, Debug)]
pub struct Address {
    /// The listener's name.
    pub name: Arc<str>,
    /// Whose door it is.
    pub listener_type: ListenerType,
    /// None is every address.
    pub host: Option<String>,
    /// 0 lets the system choose.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.name, self.host.as_deref().unwrap_or(""), self.port)
    }
}

/// The options of a socket.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// `socket.send.buffer.bytes`; none leaves it to the system.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; none leaves it to the system.
    pub receive_buffer_bytes: Option<usize>,
    /// `socket.listen.backlog.size`.
    pub backlog: i32,
}

/// A socket that has its address and does not listen yet: nobody can connect, and no other node can take it.
#[derive(Debug)]
pub struct Bound {
    socket: Socket,
    name: Arc<str>,
    listener_type: ListenerType,
    address: SocketAddr,
    backlog: i32,
}

impl Bound {
    /// Takes the addresses.
    pub fn all(address: &Address, options: SocketOptions) -> io::Result<Vec<Self>> {
        let bind = |to| Self::one(to, address, options);
        let bound = match address.host.as_deref() {
            None | Some("") => both(&bind, Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED, address),
            Some("localhost") => both(&bind, Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST, address),
            Some(host) => (host, address.port).to_socket_addrs().and_then(|mut found| {
                let first = found.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
                Ok(vec![bind(first)?])
            }),
        };
        bound.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })
    }

    fn one(to: SocketAddr, address: &Address, options: SocketOptions) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        // A node that starts again finds connections of its last life in TIME_WAIT.
        socket.set_reuse_address(true)?;
        if to.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if let Some(bytes) = options.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = options.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        // An answer leaves when it is written. A peer that is gone for good is noticed some day.
        socket.set_tcp_nodelay(true)?;
        socket.set_keepalive(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&to.into())?;
        let bound = socket.local_addr()?.as_socket();
        let bound = bound.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            socket,
            name: Arc::clone(&address.name),
            listener_type: address.listener_type,
            address: bound,
            backlog: options.backlog,
        })
    }

    /// The address, with the port that the system chose.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The listener's name.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whose door it is.
    pub const fn listener_type(&self) -> ListenerType {
        self.listener_type
    }

    /// From now on clients connect.
    pub fn listen(self) -> io::Result<TcpListener> {
        let listening = self.socket.listen(self.backlog);
        listening.map_err(|error| {
            let text = format!("cannot listen on {}://{}: {error}", self.name, self.address);
            io::Error::new(error.kind(), text)
        })?;
        Ok(self.socket.into())
    }
}

/// Both families under one port; a machine without one of them has only the other.
fn both(
    bind: &dyn Fn(SocketAddr) -> io::Result<Bound>,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
    address: &Address,
) -> io::Result<Vec<Bound>> {
    let at = |ip: IpAddr, port| SocketAddr::new(ip, port);
    let first = match bind(at(v4.into(), address.port)) {
        Err(error) if is_without_family(&error) => {
            return Ok(vec![bind(at(v6.into(), address.port))?]);
        }
        result => result?,
    };
    match bind(at(v6.into(), first.address.port())) {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if is_without_family(&error) => Ok(vec![first]),
        Err(error) => Err(error),
    }
}

fn is_without_family(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(errno, Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    const OPTIONS: SocketOptions =
        SocketOptions { send_buffer_bytes: Some(102_400), receive_buffer_bytes: None, backlog: 50 };

    fn address(host: Option<&str>, port: u16) -> Address {
        let listener_type = ListenerType::Broker;
        Address { name: "TEST".into(), listener_type, host: host.map(str::to_owned), port }
    }

    #[test]
    fn localhost_and_no_host_are_both_families_under_one_port() {
        for host in [None, Some(""), Some("localhost")] {
            let bound = Bound::all(&address(host, 0), OPTIONS).unwrap();
            let port = bound[0].address().port();
            assert!(bound.iter().all(|one| one.address().port() == port));
            let has_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
            let listening: Vec<_> = bound.into_iter().map(|one| one.listen().unwrap()).collect();
            assert_eq!(listening.len(), 1 + usize::from(has_v6), "{host:?}");
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            if has_v6 {
                TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
            }
        }
    }

    #[test]
    fn an_address_in_use_is_named() {
        let first = Bound::all(&address(Some("127.0.0.1"), 0), OPTIONS).unwrap().remove(0);
        let port = first.address().port();
        let _listening = first.listen().unwrap();
        let again = address(Some("127.0.0.1"), port);
        let error = Bound::all(&again, OPTIONS)
            .and_then(|bound| bound.into_iter().try_for_each(|one| one.listen().map(drop)))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(
            error.to_string().starts_with(&format!("cannot listen on TEST://127.0.0.1:{port}"))
        );
    }

    #[test]
    fn nobody_connects_before_it_listens_and_options_are_handed_on() {
        let bound = Bound::all(&address(Some("127.0.0.1"), 0), OPTIONS).unwrap().remove(0);
        let to = bound.address();
        assert!(TcpStream::connect(to).is_err());
        let listening = bound.listen().unwrap();
        let _client = TcpStream::connect(to).unwrap();
        listening.set_nonblocking(false).unwrap();
        let accepted = Socket::from(listening.accept().unwrap().0);
        assert!(accepted.tcp_nodelay().unwrap() && accepted.keepalive().unwrap());
        // The kernel doubles what is asked for.
        assert_eq!(accepted.send_buffer_size().unwrap(), 2 * 102_400);
    }
}
