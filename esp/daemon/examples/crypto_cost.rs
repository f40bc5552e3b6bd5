//! What sealing and opening a packet costs with each library: `cargo run --release --example crypto_cost`.
//!
//! Texts of 64 and 1440 octets, in place, keys expanded beforehand, 12-octet nonces and 8 octets of additional data, as ESP
//! has them. The fastest of several batches is shown: what the machine does besides only ever adds.

use std::hint::black_box;
use std::time::Instant;

use twinbore_esp::crypto::{Auth, Cipher, Gcm, IvSeed, Library, SaKeys, Suite};

const BATCHES: usize = 30;
const PACKETS: u32 = 20_000;
const TEXTS: [usize; 2] = [64, 1440];

fn main() {
    println!("{:<40} {:>6} {:>9} {:>9}", "", "octets", "seal, ns", "open, ns");
    for key_bits in [128, 256] {
        for library in Library::available() {
            let gcm = Gcm::new(library, &vec![7; key_bits / 8], 16).expect("a key of AES");
            for octets in TEXTS {
                let (mut text, mut tag, nonce, aad) = (vec![0; octets], [0; 16], [1; 12], [2; 8]);
                let seal = fastest(|| assert!(gcm.seal(&nonce, &aad, black_box(&mut text), &mut tag)));
                gcm.seal(&nonce, &aad, &mut text, &mut tag);
                let sealed = text.clone();
                // Decrypted in place: each time it needs the text anew, which is counted too and is a few nanoseconds.
                let open = fastest(|| {
                    text.copy_from_slice(&sealed);
                    assert!(gcm.open(&nonce, &aad, black_box(&mut text), &tag));
                });
                show(&format!("aes-gcm-16-{key_bits}, {library}"), octets, seal, open);
            }
        }
    }
    for (key_bits, auth) in [(128, Auth::HmacSha1_96), (128, Auth::HmacSha256_128), (256, Auth::HmacSha512_256)] {
        let suite = Suite::AesCbc { key_bits, auth };
        let keys = SaKeys::cbc_hmac(&vec![7; usize::from(key_bits) / 8], &vec![8; auth.key_len()]);
        let seed = IvSeed { mask: 0, key: [9; 32] };
        let cipher = Cipher::new(suite, &keys, &seed).expect("keys that fit");
        for octets in TEXTS {
            let sealed_len = 8 + suite.iv_len() + octets + suite.icv_len();
            let mut packet = vec![0; sealed_len];
            let seal = fastest(|| cipher.seal(black_box(&mut packet), None, 1));
            let sealed = packet.clone();
            let open = fastest(|| {
                packet.copy_from_slice(&sealed);
                cipher.open(black_box(&mut packet), None).expect("authentic");
            });
            show(&format!("{suite}, {}", Library::AwsLc), octets, seal, open);
        }
    }
}

/// Nanoseconds for one call, of the fastest batch.
fn fastest(mut work: impl FnMut()) -> f64 {
    let batch = || {
        let begin = Instant::now();
        (0..PACKETS).for_each(|_| work());
        begin.elapsed().as_nanos() as f64 / f64::from(PACKETS)
    };
    std::iter::repeat_with(batch).take(BATCHES).fold(f64::INFINITY, f64::min)
}

fn show(what: &str, octets: usize, seal: f64, open: f64) {
    println!("{what:<40} {octets:>6} {seal:>9.0} {open:>9.0}");
}
