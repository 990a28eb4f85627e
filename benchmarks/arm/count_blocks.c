/* Counts the instructions of stretches of a program that qemu-user runs (a plugin; qemu 7.2 or later).
 *
 *   cc -O2 -shared -fPIC -o count_blocks.so count_blocks.c
 *   qemu-aarch64 -plugin ./count_blocks.so,to=blocks.txt PROGRAM
 *
 * The program says where a stretch begins and ends: getsid(0x45564254) sets all counts to 0, getsid(0x45564255) writes
 * them (the calls fail, and do nothing else). For each block of code that ran in between there is a line: how often, and
 * its instructions as they lie in memory, in hexadecimal; a line `end` closes a stretch, and another one may follow.
 * What the instructions are, and what they take, others find out.
 * One thread alone is counted exactly.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is used of qemu-plugin.h, which distributions do not ship. */
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated_call)(plugin_id, struct qemu_plugin_tb *);
typedef void (*system_call)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
			    uint64_t, uint64_t);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated_call);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *to, uint64_t by);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, system_call);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { ADD = 0, GETSID = 156, BEGIN = 0x45564254, END = 0x45564255 };

struct block {
	struct block *next;
	uint64_t times;
	size_t instructions;
	uint32_t code[];
};
static struct block *blocks;
static FILE *out;

/* A block that is translated anew gets another entry: whoever reads the file adds up what is alike. */
static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);
	struct block *block = calloc(1, sizeof *block + count * sizeof *block->code);
	if (!block)
		abort();
	block->instructions = count;
	for (size_t each = 0; each < count; each++) {
		struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(tb, each);
		if (qemu_plugin_insn_size(instruction) == sizeof *block->code)
			memcpy(&block->code[each], qemu_plugin_insn_data(instruction), sizeof *block->code);
	}
	block->next = blocks;
	blocks = block;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD, &block->times, 1);
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t mark, uint64_t b, uint64_t c, uint64_t d,
		   uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
	if (number != GETSID || (mark != BEGIN && mark != END))
		return;
	for (struct block *block = blocks; block; block = block->next) {
		if (mark == END && block->times) {
			fprintf(out, "%" PRIu64, block->times);
			for (size_t each = 0; each < block->instructions; each++)
				fprintf(out, " %08" PRIx32, block->code[each]);
			fputc('\n', out);
		}
		block->times = 0;
	}
	if (mark == END && (fputs("end\n", out) == EOF || fflush(out))) {
		perror("count_blocks");
		abort();
	}
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	for (int each = 0; each < argc; each++)
		if (!strncmp(argv[each], "to=", 3))
			out = fopen(argv[each] + 3, "w");
	if (!out) {
		fprintf(stderr, "count_blocks: say where to, to=FILE, and have it written\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_vcpu_syscall_cb(id, called);
	return 0;
}
