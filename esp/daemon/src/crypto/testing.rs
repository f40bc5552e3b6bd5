//! Whole-packet tests of the transforms, and helpers for other tests.

use super::*;

/// Octets of a hexadecimal text; blanks are ignored.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Every suite there is.
pub(crate) fn all_suites() -> Vec<Suite> {
    let auths = [Auth::HmacSha1_96, Auth::HmacSha256_128, Auth::HmacSha384_192, Auth::HmacSha512_256];
    [128, 192, 256]
        .into_iter()
        .flat_map(|key_bits| {
            [Suite::AesGcm16 { key_bits }, Suite::AesGcm12 { key_bits }, Suite::AesGcm8 { key_bits }]
                .into_iter()
                .chain(auths.map(|auth| Suite::AesCbc { key_bits, auth }))
        })
        .collect()
}

/// Keys of the right length for `suite`, made of a counting pattern.
pub(crate) fn pattern_keys(suite: Suite) -> SaKeys {
    let octets: Vec<u8> = (0..=255).collect();
    let key = &octets[..usize::from(suite.key_bits()) / 8];
    match suite {
        Suite::AesCbc { auth, .. } => SaKeys::cbc_hmac(key, &octets[64..64 + auth.key_len()]),
        _ => SaKeys::aead(&[key, &octets[200..204]].concat()).unwrap(),
    }
}

pub(crate) fn seed() -> IvSeed {
    IvSeed { mask: 0x0102_0304_0506_0708, key: [0x5a; 32] }
}

fn sealed(suite: Suite, cipher: &Cipher, plain: &[u8], seq_hi: Option<u32>) -> Vec<u8> {
    let iv_end = ESP_HEADER + suite.iv_len();
    let mut packet = vec![0; iv_end + plain.len() + suite.icv_len()];
    packet[..8].copy_from_slice(&unhex("c0ffee0100000007"));
    packet[iv_end..iv_end + plain.len()].copy_from_slice(plain);
    cipher.seal(&mut packet, seq_hi, 7);
    packet
}

#[test]
fn every_suite_opens_what_it_seals_and_nothing_that_was_touched() {
    for suite in all_suites() {
        let cipher = Cipher::new(suite, &pattern_keys(suite), &seed()).unwrap();
        let plain = vec![0xab; 96];
        for seq_hi in [None, Some(0), Some(3)] {
            let packet = sealed(suite, &cipher, &plain, seq_hi);
            let mut good = packet.clone();
            let range = cipher.open(&mut good, seq_hi).unwrap();
            assert_eq!(good[range], plain, "{suite}");
            for at in 0..packet.len() {
                let mut bad = packet.clone();
                bad[at] ^= 0x80;
                assert_eq!(cipher.open(&mut bad, seq_hi), Err(OpenError::Authentication), "{suite} octet {at}");
            }
            let other = seq_hi.map_or(Some(0), |high| Some(high + 1));
            assert_eq!(cipher.open(&mut packet.clone(), other), Err(OpenError::Authentication), "{suite}");
        }
    }
}

#[test]
fn short_and_ragged_packets_are_malformed() {
    for suite in all_suites() {
        let cipher = Cipher::new(suite, &pattern_keys(suite), &seed()).unwrap();
        let empty = ESP_HEADER + suite.iv_len() + suite.icv_len();
        for len in (0..=empty).chain([empty + 1, empty + suite.block_len() + 1]) {
            assert_eq!(cipher.open(&mut vec![0; len], None), Err(OpenError::Malformed), "{suite} {len}");
        }
    }
}

/// McGrew, "Test Cases for the use of GCM and GMAC in IPsec ESP" (draft-mcgrew-gcm-test-01, section 4): key with salt,
/// high half of the sequence number, SPI and low half, IV, plaintext, ciphertext, ICV.
#[test]
fn published_esp_packets() {
    let cases = [
        (
            128,
            "4c80cdefbb5d10da906ac73c3613a634 2e443b68",
            Some(0x8765_4321),
            "00004321 00000000",
            "4956ed7e3b244cfe",
            "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f7564700373\
             69700963796265726369747902646b000021000101020201",
            "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d\
             15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732",
            "459018148f6cbe722fd04796562dfdb4",
        ),
        (
            192,
            "feffe9928665731c6d6a8f9467308308feffe9928665731c cafebabe",
            None,
            "0000a5f8 0000000a",
            "facedbaddecaf888",
            "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
            "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77",
            "95457b9652037f5318027b5b4cd7a636",
        ),
        (
            256,
            "abbccddef00112233445566778899aababbccddef00112233445566778899aab 11223344",
            None,
            "4a2cbfe3 00000002",
            "0102030405060708",
            "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b401010402\
             01020201",
            "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99d\
             ef842d8e",
            "b335f4eecfdbf831824b4c4915956c96",
        ),
    ];
    for (key_bits, key, seq_hi, header, iv, plain, text, icv) in cases {
        let keys = SaKeys::aead(&unhex(key)).unwrap();
        let counter = u64::from_str_radix(iv, 16).unwrap();
        let cipher = Cipher::new(Suite::AesGcm16 { key_bits }, &keys, &IvSeed { mask: 0, key: [0; 32] }).unwrap();
        let mut packet = [unhex(header), vec![0; 8], unhex(plain), vec![0; 16]].concat();
        cipher.seal(&mut packet, seq_hi, counter);
        assert_eq!(packet, [unhex(header), unhex(iv), unhex(text), unhex(icv)].concat(), "{key_bits}");
        let range = cipher.open(&mut packet, seq_hi).unwrap();
        assert_eq!(packet[range], unhex(plain));
    }
}

#[test]
fn wrong_key_lengths_are_refused_with_words() {
    let suite = Suite::AesGcm16 { key_bits: 256 };
    let error = Cipher::new(suite, &SaKeys::aead(&[0; 20]).unwrap(), &seed()).unwrap_err();
    assert_eq!(error.to_string(), "encryption key of 16 octets given, aes-gcm-16-256 needs 32");
    let suite = Suite::AesCbc { key_bits: 128, auth: Auth::HmacSha256_128 };
    let error = Cipher::new(suite, &SaKeys::cbc_hmac(&[0; 16], &[0; 20]), &seed()).unwrap_err();
    assert_eq!(error.to_string(), "authentication key of 20 octets given, aes-cbc-128-hmac-sha256-128 needs 32");
    let error = Cipher::new(Suite::AesGcm16 { key_bits: 64 }, &SaKeys::aead(&[0; 12]).unwrap(), &seed()).unwrap_err();
    assert_eq!(error, CryptoError::KeySize(64));
}

#[test]
fn debug_output_shows_no_key() {
    let keys = SaKeys::aead(&[0x41; 20]).unwrap();
    assert_eq!(format!("{keys:?}"), "SaKeys(hidden)");
    assert!(SaKeys::aead(&[1, 2, 3]).is_none());
}

#[test]
fn key_material_is_wiped_when_dropped() {
    fn check<T: ZeroizeOnDrop>() {}
    check::<SaKeys>();
    check::<IvSeed>();
    let mut keys = SaKeys::cbc_hmac(&[1; 16], &[2; 20]);
    keys.zeroize();
    assert!(keys.encryption.is_empty() && keys.authentication.is_empty());
}
