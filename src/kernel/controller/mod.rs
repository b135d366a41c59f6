//! Decides changes of the metadata: (image, request, now) to records and a reply.
