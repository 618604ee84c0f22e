# The units that the module and the worker share.

CSC_SOURCES := \
	common/csc_bundle.c \
	common/csc_bus.c \
	common/csc_core.c \
	common/csc_error.c \
	common/csc_json.c \
	common/csc_json_array.c \
	common/csc_json_writer.c \
	common/csc_metrics.c \
	common/csc_metrics_page.c \
	common/csc_metrics_record.c \
	common/csc_ops.c \
	common/csc_query.c \
	common/csc_text.c \
	common/csc_utf8.c \
	common/csc_uuid.c \
	common/csc_ws.c \
	common/csc_ws_write.c

CSC_LIBS := -lyajl -lcrypto
