use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes, BytesMut};
use kafka_protocol::messages::{
    AllocateProducerIdsResponse, InitProducerIdRequest, InitProducerIdResponse,
};
use kafka_protocol::protocol::{Decodable as _, Encodable as _};

use super::*;
use crate::api::answer::Answer;
use crate::api::harness::{Node, bytes_of};
use crate::shell::drivers::controller::handle::Message;

#[test]
fn ids_come_from_one_block_after_the_other() {
    let mut blocks = Blocks::default();
    assert_eq!(blocks.take(), None);
    assert!(blocks.is_low());
    blocks.add(1000..1020);
    for id in 1000..1017 {
        assert_eq!(blocks.take(), Some(ProducerId(id)));
        assert!(!blocks.is_low(), "{id}");
    }
    assert_eq!(blocks.take(), Some(ProducerId(1017)));
    assert!(blocks.is_low());
    blocks.add(5000..5010);
    assert!(!blocks.is_low());
    let rest: Vec<_> = std::iter::from_fn(|| blocks.take()).map(|id| id.0).collect();
    assert_eq!(rest, [1018, 1019].into_iter().chain(5000..5010).collect::<Vec<_>>());
}

fn ask(node: &Node) -> Answer {
    let mut body = BytesMut::new();
    InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1)
        .encode(&mut body, 5)
        .unwrap();
    node.ask(22, 5, body.freeze())
}

fn read(answer: Answer) -> (i16, i64, i16) {
    let mut body = Bytes::from(bytes_of(answer));
    body.advance(1);
    let response = InitProducerIdResponse::decode(&mut body, 5).unwrap();
    (response.error_code, response.producer_id.0, response.producer_epoch)
}

/// A request that waits, if it still does.
fn poll(answer: &mut Answer) -> Option<Answer> {
    let Answer::Later(waiting) = answer else { panic!("it does not wait") };
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(waiting).poll(&mut context) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// What the controller is asked, answered with a block.
fn give_block(node: &Node, error: ErrorCode, block: Range<i64>) {
    let Ok(Message::Call(call)) = node.asked.try_recv() else { panic!("nothing was asked") };
    let Request::AllocateProducerIds(request) = &call.request else { panic!() };
    assert_eq!((request.broker_id.0, request.broker_epoch), (1, -1));
    let reply = AllocateProducerIdsResponse::default()
        .with_error_code(error.code())
        .with_producer_id_start(block.start.into())
        .with_producer_id_len((block.end - block.start) as i32);
    assert!(call.reply.send(Ok(Reply::AllocateProducerIds(reply))).is_ok());
}

#[test]
fn the_controller_is_asked_for_a_block_once() {
    let node = Node::with(&[]);
    let (mut first, mut second) = (ask(&node), ask(&node));
    assert!(poll(&mut first).is_none());
    assert!(poll(&mut second).is_none());
    give_block(&node, ErrorCode::None, 1000..1020);
    assert_eq!(read(poll(&mut first).unwrap()), (0, 1000, 0));
    assert_eq!(read(poll(&mut second).unwrap()), (0, 1001, 0));
    assert!(node.asked.try_recv().is_err());
    for id in 1002..1017 {
        let answer = ask(&node);
        assert!(matches!(answer, Answer::Now(_)));
        assert_eq!(read(answer), (0, id, 0));
    }
    // Nine tenths are gone: whoever finds that so fetches the next, and others go on meanwhile.
    let mut fetches = ask(&node);
    assert!(poll(&mut fetches).is_none());
    let mut meanwhile = ask(&node);
    assert_eq!(read(poll(&mut meanwhile).unwrap()), (0, 1018, 0));
    give_block(&node, ErrorCode::None, 5000..6000);
    assert_eq!(read(poll(&mut fetches).unwrap()), (0, 1017, 0));
    assert_eq!(read(ask(&node)), (0, 1019, 0));
    assert_eq!(read(ask(&node)), (0, 5000, 0));
}

#[test]
fn a_controller_without_a_block_is_asked_again() {
    let node = Node::with(&[]);
    let mut refused = ask(&node);
    assert!(poll(&mut refused).is_none());
    give_block(&node, ErrorCode::StaleBrokerEpoch, 0..0);
    let load = ErrorCode::CoordinatorLoadInProgress.code();
    assert_eq!(read(poll(&mut refused).unwrap()), (load, -1, -1));
    // A client that leaves while it fetches does not stop the others.
    let mut left = ask(&node);
    assert!(poll(&mut left).is_none());
    drop(left);
    assert!(node.asked.try_recv().is_ok());
    let mut next = ask(&node);
    assert!(poll(&mut next).is_none());
    give_block(&node, ErrorCode::None, 7..8);
    assert_eq!(read(poll(&mut next).unwrap()), (0, 7, 0));
}
