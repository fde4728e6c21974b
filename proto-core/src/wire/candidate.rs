//! ICE candidates as browsers exchange them.

use serde::{Deserialize, Serialize};

use crate::limits;

/// The JSON of an `RTCIceCandidateInit`.
///
/// <https://www.w3.org/TR/webrtc/#dom-rtcicecandidateinit>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CandidateInit {
    /// The candidate attribute, with or without a leading `a=`; empty at the end of candidates.
    pub candidate: String,
    /// The media section that it belongs to, by name.
    pub sdp_mid: Option<String>,
    /// The media section that it belongs to, by position.
    pub sdp_m_line_index: Option<u16>,
    /// The ICE generation that it belongs to. JavaScript peers hold a candidate back if it differs
    /// from the description's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

impl CandidateInit {
    /// Reads a candidate's JSON; `None` if it is not one, or is longer than any.
    pub fn parse(json: &str) -> Option<Self> {
        if json.len() > limits::CANDIDATE_BYTES_MAX {
            return None;
        }
        serde_json::from_str(json).ok()
    }

    /// Writes the JSON.
    pub fn emit(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are always JSON")
    }

    /// Whether it says that no more candidates come.
    pub fn is_end(&self) -> bool {
        self.candidate.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_unknown_keys_are_fine_and_other_json_is_not() {
        let json = r#"{"candidate":"a=candidate:1 1 udp 1 10.0.0.1 1 typ host","sdpMid":null,
            "sdpMLineIndex":null,"usernameFragment":null,"more":1}"#;
        let candidate = CandidateInit::parse(json).unwrap();
        assert_eq!(candidate.sdp_m_line_index, None);
        assert_eq!(CandidateInit::parse(&candidate.emit()), Some(candidate));
        assert!(CandidateInit::parse(r#"{"candidate":""}"#).unwrap().is_end());
        let long = format!(r#"{{"candidate":"x","sdpMid":"{}"}}"#, "m".repeat(4096));
        assert_eq!(CandidateInit::parse(&long), None);
        for json in ["", "7", "null", r#"{"candidate":7}"#, r#"{"sdpMLineIndex":-1}"#] {
            assert_eq!(CandidateInit::parse(json), None, "{json}");
        }
    }
}
