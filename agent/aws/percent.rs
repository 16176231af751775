//! Percent-encoding, which IAM wraps around every policy document that it hands out.

/// The text that was encoded. What is no encoding stays as it is.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = escape(rest).unwrap_or((byte, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte that an escape at the beginning stands for, and what comes after it.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = text else {
        return None;
    };
    Some((digit(*high)? * 16 + digit(*low)?, after))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::aws::percent::decoded;

    #[test]
    fn a_document_is_decoded() {
        assert_eq!(decoded("%7B%22Sid%22%3A%22a+b%22%2C%20%22x%22%3A%22%C3%A9%22%7D"), r#"{"Sid":"a+b", "x":"é"}"#);
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(decoded("100% %zz %4"), "100% %zz %4");
    }

    proptest! {
        #[test]
        fn whatever_was_encoded_comes_back(text in any::<String>()) {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decoded(&encoded), text);
        }
    }
}
