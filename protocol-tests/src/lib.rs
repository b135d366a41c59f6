//! What the black-box tests share: a broker process with a directory and ports of its own, and a raw client.
