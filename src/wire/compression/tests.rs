use proptest::prelude::*;

use super::*;

/// Something that packs well, as records do.
fn text(bytes: usize) -> Vec<u8> {
    let line = b"{\"user\":\"anna\",\"item\":1234,\"price\":\"12.50\"},";
    let numbered = (0..).flat_map(|n: u32| [&line[..], &n.to_be_bytes()].concat());
    numbered.take(bytes).collect()
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(payload: Vec<u8>, long in 0..70_000_usize) {
        for payload in [payload, text(long)] {
            for codec in Codec::ALL {
                let packed = Bytes::from(compress(codec, None, &payload).unwrap());
                let unpacked = decompress(codec, &packed, payload.len()).unwrap();
                prop_assert_eq!(&unpacked[..], &payload[..]);
            }
        }
    }

    #[test]
    fn any_bytes_end_within_the_limit(payload: Vec<u8>, codec in 1_u8..5) {
        let codec = Codec::of_id(codec).unwrap();
        if let Ok(unpacked) = decompress(codec, &payload.into(), 1000) {
            prop_assert!(unpacked.len() <= 1000);
        }
    }

    #[test]
    fn damaged_streams_end(at in 0..2000_usize, bit in 0..8_u8, codec in 1_u8..5) {
        let codec = Codec::of_id(codec).unwrap();
        let mut packed = compress(codec, None, &text(40_000)).unwrap();
        let at = at % packed.len();
        packed[at] ^= 1 << bit;
        if let Ok(unpacked) = decompress(codec, &packed.into(), 50_000) {
            prop_assert!(unpacked.len() <= 50_000);
        }
    }
}

#[test]
fn the_limit_is_exact() {
    let payload = text(100_000);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let packed = Bytes::from(compress(codec, None, &payload).unwrap());
        assert!(packed.len() < payload.len() / 2, "{codec:?} packs");
        assert_eq!(decompress(codec, &packed, 100_000).unwrap().len(), 100_000);
        let over = CompressionError::TooLarge { limit_bytes: 99_999 };
        assert_eq!(decompress(codec, &packed, 99_999).unwrap_err(), over, "{codec:?}");
    }
}

#[test]
fn a_cut_stream_is_damaged() {
    let payload = text(100_000);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let packed = Bytes::from(compress(codec, None, &payload).unwrap());
        let cut = packed.slice(..packed.len() / 2);
        let damaged = CompressionError::Damaged(codec);
        assert_eq!(decompress(codec, &cut, 100_000).unwrap_err(), damaged, "{codec:?}");
        let other = Bytes::from_static(b"surely no such stream");
        assert_eq!(decompress(codec, &other, 100_000).unwrap_err(), damaged, "{codec:?}");
    }
}

#[test]
fn snappy_without_the_framing_and_twice_in_a_row_is_read() {
    let payload = text(50_000);
    let raw = snap::raw::Encoder::new().compress_vec(&payload).unwrap();
    assert_eq!(decompress(Codec::Snappy, &raw.into(), 50_000).unwrap(), payload);
    let framed = compress(Codec::Snappy, None, &payload).unwrap();
    let twice = [&framed[..], &framed].concat();
    assert_eq!(decompress(Codec::Snappy, &twice.into(), 100_000).unwrap(), payload.repeat(2));
}

#[test]
fn a_snappy_block_that_claims_four_gigabytes_is_not_believed() {
    // The length as a varint, and next to nothing after it (CVE-2023-34455 was of this kind).
    let raw = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
    let damaged = Err(CompressionError::Damaged(Codec::Snappy));
    assert_eq!(decompress(Codec::Snappy, &raw, usize::MAX), damaged);
    let mut framed = compress(Codec::Snappy, None, b"x").unwrap();
    framed[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(decompress(Codec::Snappy, &framed.into(), usize::MAX), damaged);
}

#[test]
fn a_bomb_costs_no_more_than_its_limit() {
    let zeros = vec![0; 8 << 20];
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let packed = compress(codec, None, &zeros).unwrap();
        let mut stream = Unpacker::new(codec, &packed, 1 << 20).unwrap();
        let (mut piece, mut total) = ([0; 4096], 0);
        while let Ok(read) = stream.read(&mut piece) {
            assert_ne!(read, 0, "{codec:?} must fail, not end");
            total += read;
        }
        assert_eq!(total, 1 << 20);
        assert_eq!(stream.fault(), CompressionError::TooLarge { limit_bytes: 1 << 20 });
    }
}

#[test]
fn frames_have_the_form_that_kafkas_clients_insist_on() {
    // Snappy: magic and two versions of xerial's framing.
    let packed = compress(Codec::Snappy, None, b"hello hello hello hello").unwrap();
    assert_eq!(packed[..16], [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    // LZ4 frames: magic, version 1 with independent blocks and nothing else, blocks of 64 KiB.
    let packed = compress(Codec::Lz4, None, b"hello").unwrap();
    assert_eq!(packed[..6], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40]);
}
