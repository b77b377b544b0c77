//! The 33 bytes beside each sample: sequence number, source timestamp, GID of the publisher.
//!
//! Releases of 2024 wrote each value after its name as a string; only the later form is read here, the
//! rest is an error that the subscription counts.

use super::Gid;

/// The length of an attachment in bytes.
pub const ATTACHMENT_LEN: usize = 33;

/// What a publisher says about one sample.
///
/// ```
/// use rosidl_buffer_zenoh::key::{Attachment, Gid};
///
/// let sent = Attachment { sequence_number: 1, source_timestamp: 1_700_000_000_000_000_000, gid: Gid([7; 16]) };
/// assert_eq!(Attachment::from_bytes(&sent.to_bytes()), Ok(sent));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// Counted by the publisher, from 1.
    pub sequence_number: i64,
    /// When the sample was published. Unit: nanoseconds since the Unix epoch.
    pub source_timestamp: i64,
    /// The publisher.
    pub gid: Gid,
}

/// Why an attachment could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// It does not have the length of the form that we read.
    #[error(
        "the attachment has {0} bytes instead of {ATTACHMENT_LEN}: the publisher is not an rmw_zenoh node, or one older than 2025"
    )]
    Length(usize),
    /// The length in front of the GID is not 16.
    #[error("the attachment announces a GID of {0} bytes instead of 16")]
    GidLength(u8),
}

impl Attachment {
    /// Writes the attachment.
    pub fn to_bytes(&self) -> [u8; ATTACHMENT_LEN] {
        let mut bytes = [0; ATTACHMENT_LEN];
        bytes[..8].copy_from_slice(&self.sequence_number.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.source_timestamp.to_le_bytes());
        bytes[16] = 16;
        bytes[17..].copy_from_slice(&self.gid.0);
        bytes
    }

    /// Reads an attachment.
    ///
    /// # Errors
    /// When the bytes are not exactly of the form that [`Attachment::to_bytes`] writes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AttachmentError> {
        let wrong_length = || AttachmentError::Length(bytes.len());
        let (number, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong_length)?;
        let (time, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong_length)?;
        let (gid_len, gid) = rest.split_first().ok_or_else(wrong_length)?;
        let gid: [u8; 16] = gid.try_into().map_err(|_| wrong_length())?;
        if *gid_len != 16 {
            return Err(AttachmentError::GidLength(*gid_len));
        }
        Ok(Self {
            sequence_number: i64::from_le_bytes(*number),
            source_timestamp: i64::from_le_bytes(*time),
            gid: Gid(gid),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_a_ros_node_writes_them() {
        let attachment = Attachment {
            sequence_number: 0x0102,
            source_timestamp: -2,
            gid: Gid(std::array::from_fn(|i| u8::try_from(i).unwrap())),
        };
        let bytes = attachment.to_bytes();
        assert_eq!(bytes[..8], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[8..16], [0xfe, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(bytes[16..20], [16, 0, 1, 2]);
        assert_eq!(bytes[32], 15);
    }

    #[test]
    fn the_form_of_2024_is_refused() {
        let mut old = Vec::new();
        for (name, value) in [
            ("sequence_number", 8),
            ("source_timestamp", 8),
            ("source_gid", 17),
        ] {
            old.push(u8::try_from(name.len()).unwrap());
            old.extend(name.bytes());
            old.extend(std::iter::repeat_n(16, value));
        }
        assert_eq!(
            Attachment::from_bytes(&old),
            Err(AttachmentError::Length(old.len()))
        );
        let mut short_gid = [0; ATTACHMENT_LEN];
        short_gid[16] = 15;
        assert_eq!(
            Attachment::from_bytes(&short_gid),
            Err(AttachmentError::GidLength(15))
        );
    }
}
