/* Runs in the emulated Arm system, for `arm.counting`: one inference of ExecuTorch between `guest`'s marks.
 *
 *   executorch_run FILE.pte HEIGHT WIDTH CHANNELS
 *
 * ExecuTorch's Python package wants PyTorch; the libraries and headers in its wheel do not (`arm.root` builds this).
 */
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <unistd.h>
#include <vector>

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/extension/threadpool/threadpool_guard.h>

namespace {

enum { BEGIN = 0x45564254, END = 0x45564255 };

void infer(executorch::extension::Module &module, const executorch::extension::TensorPtr &picture)
{
	auto answer = module.forward(picture);
	if (!answer.ok()) {
		std::fprintf(stderr, "ExecuTorch: error %d\n", static_cast<int>(answer.error()));
		std::exit(1);
	}
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 5) {
		std::fprintf(stderr, "executorch_run FILE.pte HEIGHT WIDTH CHANNELS\n");
		return 2;
	}
	const executorch::extension::threadpool::NoThreadPoolGuard one_thread;
	const int height = std::atoi(argv[2]), width = std::atoi(argv[3]), channels = std::atoi(argv[4]);
	std::vector<float> pixels(static_cast<size_t>(height) * width * channels);
	std::minstd_rand draw;
	for (float &each : pixels)
		each = std::uniform_real_distribution<float>(-2.0F, 2.0F)(draw);
	const auto picture = executorch::extension::make_tensor_ptr({1, channels, height, width}, std::move(pixels));
	executorch::extension::Module module(argv[1]);
	infer(module, picture); // packs weights and allocates
	getsid(BEGIN);
	infer(module, picture);
	getsid(END);
	return 0;
}
