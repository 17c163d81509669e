from torch.nn import utils as utils
