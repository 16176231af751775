//! Text that anybody may have chosen (names, user agents, statements), made safe to show on a
//! line of ours. It escapes nothing for Slack or HTML.

/// The text on one line: no line breaks and no control sequences, and nothing that turns the
/// direction in which it is read.
#[must_use]
pub fn one_line(text: &str) -> String {
    let shown = text.chars().filter(|character| !turns_direction(*character));
    shown.map(|character| if character.is_control() || ends_line(character) { ' ' } else { character }).collect()
}

/// Whether it is Unicode's own separator of lines or paragraphs, which are no control characters.
#[must_use]
pub const fn ends_line(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether it is one of Unicode's bidirectional format characters: what follows it is shown in
/// another order.
#[must_use]
pub const fn turns_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_the_line_or_turns_it_round() {
        assert_eq!(one_line("prod\n\u{1b}[2Jok"), "prod  [2Jok");
        assert_eq!(one_line("a\u{2028}b\u{2029}c"), "a b c");
        assert_eq!(one_line("\u{202e}toor\u{202c} \u{2066}a\u{2069}\u{200e}\u{200f}\u{202a}b"), "toor ab");
        assert_eq!(one_line("écurie ‐ نسخ"), "écurie ‐ نسخ");
    }
}
