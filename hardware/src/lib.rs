//! What the store box is made of: facts about its boards.

pub mod boards;
