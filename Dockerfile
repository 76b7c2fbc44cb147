# Two stages: build, then the binary alone on a small base, as a user without rights.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --no-install-recommends -y gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN cargo build --locked --profile dist --bin copydesk

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home copydesk
COPY --from=build /build/target/dist/copydesk /usr/local/bin/copydesk
COPY LICENSE NOTICE /usr/share/doc/copydesk/
USER 10001
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s CMD ["copydesk", "health"]
ENTRYPOINT ["copydesk"]
CMD ["run"]
