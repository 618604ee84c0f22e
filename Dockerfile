# Two images from one file: "nginx" with the module, and the chat "worker".
#
#   docker build --target nginx -t cs-chat-nginx .
#   docker build --target worker -t cs-chat-worker .

FROM debian:bookworm-slim AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends gcc libc6-dev make pkg-config nginx nginx-dev \
        libhiredis-dev libpq-dev libyajl-dev libjwt-dev libssl-dev libuv1-dev \
        libcrypt-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make install DESTDIR=/out

FROM debian:bookworm-slim AS nginx
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends nginx libhiredis0.14 libyajl2 libjwt0 libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir /etc/cs-chat
COPY --from=build /out/usr/lib/nginx/modules/ /usr/lib/nginx/modules/
COPY --from=build /out/usr/share/cs-chat/ /usr/share/cs-chat/
COPY packaging/docker/nginx.conf.in /etc/cs-chat/
COPY packaging/docker/nginx-start packaging/docker/nginx-healthy /usr/local/bin/
VOLUME /var/lib/cs-chat
EXPOSE 8080
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=6 \
    CMD ["nginx-healthy"]
CMD ["nginx-start"]

FROM debian:bookworm-slim AS worker
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends libhiredis0.14 libpq5 libyajl2 libuv1 libssl3 \
        libcrypt1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home cs-chat
COPY --from=build /out/usr/sbin/cs-chat-worker /usr/sbin/
USER cs-chat
HEALTHCHECK --interval=10s --timeout=10s --start-period=20s --retries=6 \
    CMD ["cs-chat-worker", "--check"]
ENTRYPOINT ["cs-chat-worker"]
